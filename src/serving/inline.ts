/**
 * Which runs are made on the event loop itself.
 *
 * To hand a run to another thread and its outcome back takes longer than a small model's run, and costs more. So those
 * that are as short, and cannot become long, stay on the loop. Cannot: a signature's operations are all of a kind whose
 * work follows from the shapes of the inputs, and these are known but for the number of rows, which has a limit. Are:
 * that is seen in the runs as they come.
 */
import type { Signature } from '../runtime/signature.js';

/** On a thread that has slept a run takes this much longer than on the loop, as a rule. */
const coldness = 4;

/** What a run on the loop took is forgotten by this factor with each run on a thread: it is tried again some day. */
const oblivion = 0.999;

export class InlineRuns {
  private readonly onLoop = new Typical();
  private readonly onThreads = new Typical();

  /**
   * @param whyNever why runs must not hold up the event loop, if so
   * @param limit microseconds that a typical run may take
   */
  constructor(
    private readonly whyNever: string | undefined,
    private readonly limit: number,
  ) {}

  /** True if the next run may be made on the event loop. The first ones show what to expect on threads. */
  get areShort(): boolean {
    const { whyNever, limit, onLoop, onThreads } = this;
    return (
      whyNever === undefined &&
      (onLoop.micros ?? 0) <= limit &&
      (onThreads.micros ?? Number.POSITIVE_INFINITY) <= coldness * limit
    );
  }

  /** @param micros that a run took */
  observe(micros: number, isInline: boolean): void {
    if (isInline) this.onLoop.add(micros);
    else this.onThreads.add(micros);
    if (!isInline) this.onLoop.forget(oblivion);
  }

  /** Where runs are made and why, for people. */
  get explanation(): string {
    if (this.whyNever !== undefined) return `on threads: ${this.whyNever}`;
    const { areShort, onLoop, onThreads } = this;
    const micros = areShort ? onLoop.micros : (onThreads.micros ?? onLoop.micros);
    const seen = micros === undefined ? 'none was seen yet' : `one takes about ${micros.toFixed(0)} µs`;
    return `on ${areShort ? 'the event loop' : 'threads'}: ${seen}`;
  }
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
  if (operations === undefined) return 'its graph is large';
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
