/**
 * Which runs are made on the event loop itself.
 *
 * To hand a run to another thread and its outcome back takes longer than a small model's run, and costs more. So those
 * that are as short, and cannot become long, stay on the loop. Cannot: a signature's operations are all of a kind whose
 * work follows from the shapes of the inputs, and these are known but for the number of rows. Are: that is seen in the
 * runs of about as many rows as they come; the first ones of a size are made on threads.
 *
 * Where graphs are compiled (`--xla`), a run of a size that is new takes as long as a compiler does. Then only those stay on
 * the loop of which just that size, with all outputs, has been run on threads often enough to be compiled.
 */
import type { Signature } from '../../engines/signature.js';

/** On a thread that has slept a run takes this much longer than on the loop, as a rule. */
const coldness = 4;

/** What a run on the loop took is forgotten by this factor with each run on a thread: it is tried again some day. */
const oblivion = 0.999;

/** TensorFlow compiles for a shape when it is asked for it the second time; then there is nothing more to compile. */
const runsToCompile = 3;

const rememberedSizes = 64;

export class InlineRuns {
  /** For runs of up to 1, 2, 4, 8 … rows: one with twice the rows is another matter. */
  private readonly sizes: Size[] = [];
  /** Runs on threads by their exact number of rows, up to {@link runsToCompile}. */
  private readonly compiled: Map<number, number> | undefined;

  /**
   * @param whyNever why runs must not hold up the event loop, if so
   * @param limit microseconds that a typical run may take
   * @param compiles graphs are compiled for each shape
   */
  constructor(
    private readonly whyNever: string | undefined,
    private readonly limit: number,
    compiles = false,
  ) {
    this.compiled = compiles ? new Map() : undefined;
  }

  /** False if all runs are made on threads. */
  get arePossible(): boolean {
    return this.whyNever === undefined && this.limit > 0;
  }

  /**
   * True if a run of so many rows may be made on the event loop.
   *
   * @param isWhole it gives all outputs: a selection of them is a graph of its own
   */
  areShort(rows: number, isWhole: boolean): boolean {
    if (this.compiled && !(isWhole && (this.compiled.get(rows) ?? 0) >= runsToCompile)) return false;
    const size = this.sizes[sizeOf(rows)];
    return this.whyNever === undefined && size !== undefined && this.isShort(size);
  }

  private isShort({ onLoop, onThreads }: Size): boolean {
    const { limit } = this;
    return (
      (onLoop.micros ?? 0) <= limit && (onThreads.micros ?? Number.POSITIVE_INFINITY) <= coldness * limit
    );
  }

  /**
   * @param rows of the run, padding included
   * @param micros that it took
   */
  observe(rows: number, micros: number, isInline: boolean, isWhole: boolean): void {
    if (this.compiled && isWhole && !isInline) this.count(this.compiled, rows);
    const index = sizeOf(rows);
    this.sizes[index] ??= { onLoop: new Typical(), onThreads: new Typical() };
    const { onLoop, onThreads } = this.sizes[index];
    if (isInline) {
      onLoop.add(micros);
    } else {
      onThreads.add(micros);
      onLoop.forget(oblivion);
    }
  }

  private count(compiled: Map<number, number>, rows: number): void {
    const runs = compiled.get(rows) ?? 0;
    // Of sizes that clients make up, only so many are remembered: TensorFlow compiles no more than ten of these.
    if (runs < runsToCompile && (runs > 0 || compiled.size < rememberedSizes)) compiled.set(rows, runs + 1);
  }

  /** Where runs are made and why, for people. */
  get explanation(): string {
    if (this.whyNever !== undefined) return `on threads: ${this.whyNever}`;
    const seen = [...this.sizes.entries()].flatMap(([index, size]) => (size ? [{ index, ...size }] : []));
    const [least] = seen;
    if (!least) return 'on threads: no run has been timed yet';
    const largest = seen.findLast((size) => this.isShort(size));
    const { index, onLoop, onThreads } = largest ?? least;
    const micros = (largest ? (onLoop.micros ?? onThreads.micros) : onThreads.micros) ?? 0;
    const took = `one takes about ${micros.toFixed(0)} µs`;
    return largest ? `on the event loop, in batches of up to ${2 ** index}: ${took}` : `on threads: ${took}`;
  }
}

interface Size {
  readonly onLoop: Typical;
  readonly onThreads: Typical;
}

/** 0 for up to one row, 1 for two, 2 for three and four, … */
function sizeOf(rows: number): number {
  return rows <= 1 ? 0 : Math.ceil(Math.log2(rows));
}

/** Tends to the median of what it is shown, whatever the outliers. */
class Typical {
  /** Undefined: nothing was seen yet. */
  micros: number | undefined;

  add(micros: number): void {
    if (this.micros === undefined) this.micros = micros;
    else this.micros *= micros > this.micros ? step : 1 / step;
  }

  forget(factor: number): void {
    if (this.micros !== undefined) this.micros *= factor;
  }
}

const step = 1.1;

/** Why runs of a signature may take any time, or undefined if they cannot. */
export function whyNotInline({ inputs, operations }: Signature, device: 'cpu' | 'gpu'): string | undefined {
  // There a run waits for the device.
  if (device !== 'cpu') return 'the model runs on a GPU';
  if (operations === undefined) return 'no graph tells what its runs do';
  for (const { name, dtype, shape } of inputs.values()) {
    if (dtype === 'string') return `input \`${name}\` holds strings, of any length`;
    if (shape === null || shape.slice(1).includes(null)) return `input \`${name}\` may be of any size`;
  }
  const unbounded = [...operations].find((operation) => !bounded.has(operation));
  return unbounded && `operation \`${unbounded}\` may take any time`;
}

/**
 * Operations that wait for nothing, and whose work follows from the shapes of their inputs; where a value decides on the
 * size of the output (Fill, Tile, Range, Pad) it does not. Loops and branches are not among them.
 */
const bounded: ReadonlySet<string> = new Set(
  `
  Const Placeholder PlaceholderWithDefault NoOp Identity IdentityN StopGradient PreventGradient Snapshot EnsureShape
  VarHandleOp ReadVariableOp Variable VariableV2 PartitionedCall StatefulPartitionedCall
  Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd Cast Ceil ClipByValue Cos Cosh Div DivNoNan Elu Erf
  Erfc Exp Expm1 Floor FloorDiv FloorMod LeakyRelu Log Log1p LogSoftmax Maximum Minimum Mod Mul MulNoNan Neg Pow RealDiv
  Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
  SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy
  Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2
  All Any ArgMax ArgMin Cumprod Cumsum Max Mean Min Prod Sum TopKV2
  BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum L2Loss MatMul
  Concat ConcatV2 ExpandDims Gather GatherNd GatherV2 OnesLike Pack Rank Reshape Reverse ReverseV2 Shape ShapeN Size Slice
  Split SplitV Squeeze StridedSlice Transpose Unpack ZerosLike
  AvgPool Conv2D DepthwiseConv2dNative FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool
  `
    .trim()
    .split(/\s+/),
);
