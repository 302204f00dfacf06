/**
 * One random case of an operation: its inputs, some of which have rows, and the nodes that make them.
 */
import { Size } from '../../../src/engines/tensorflow/graph/size.ts';
import { same, type Value } from '../../../src/engines/tensorflow/graph/value.ts';
import type { Dtype } from '../../../src/tensors/dtypes.ts';
import { elementCount } from '../../../src/tensors/dtypes.ts';
import { allocate, toBfloat16, toFloat16 } from '../../../src/tensors/values.ts';
import type { TensorData } from '../../../src/tfjs/tensors.ts';
import type { Attributes, GraphBuilder, Ref } from '../../fixtures/graph.ts';
import type { Random } from './random.ts';

/** Makes one case: inputs, the operation, what is looked at. */
export type Generator = (make: CaseMaker) => void;

/** Makes one value of a tensor. */
export type MakeValue = (random: Random) => number | string | Uint8Array;

/** What a placeholder is fed with. */
export interface Feed {
  readonly ref: Ref;
  readonly dtype: Dtype;
  /** Without the rows' own dim, where there is one. */
  readonly shape: readonly number[];
  /** Of each row; one for all if it has none. */
  readonly data: readonly TensorData[];
  readonly hasRows: boolean;
  /** What the walk is told of it. */
  readonly value: Value;
}

/** A tensor of a case. */
export interface Operand extends Ref {
  /** As one row alone has them. */
  readonly dims: readonly number[];
  /** The axis of the rows; undefined if it is the same for all. */
  readonly axis: number | undefined;
  readonly dtype: Dtype;
}

interface OperandOptions {
  readonly dtype?: Dtype | undefined;
  readonly value?: MakeValue | undefined;
}

const texts = ['a', 'bc', '', 'x y', ' Z ', 'aab', '12', 'é', 'b-a'];

export class CaseMaker {
  readonly feeds: Feed[] = [];
  /** What is looked at. */
  readonly outputs: Ref[] = [];

  /**
   * @param batch rows that are run together
   * @param isDealt rows in front are dealt out in blocks where that can be, see `Rows.dealt`
   */
  constructor(
    readonly graph: GraphBuilder,
    readonly random: Random,
    readonly batch: number,
    private readonly isDealt: boolean,
    /** The operation that this is a case of. */
    readonly op: string,
  ) {}

  /** A small dim, which may be as large as the batch. */
  dim(): number {
    return this.random.pick([1, 2, 3, 4, this.batch]);
  }

  dims(least: number, most: number): number[] {
    return this.random.list(this.random.int(least, most), () => this.dim());
  }

  /** An axis, counted from either end. */
  axis(rank: number, among?: readonly number[]): number {
    const axis = among ? this.random.pick(among) : this.random.int(0, Math.max(0, rank - 1));
    return this.random.chance(0.3) ? axis - rank : axis;
  }

  /** Rows along an axis. @param dims the axis' own is how many slices each row has */
  rows(dims: readonly number[], axis = 0, { dtype = 'float32', value }: OperandOptions = {}): Operand {
    const { graph, random } = this;
    const slices = dims[axis] ?? 1;
    const others = dims.toSpliced(axis, 1);
    const merges = slices !== 1;
    const shape = merges ? [slices, ...others] : others;
    const open = shape.map(() => !merges && random.chance(0.15));
    const placeholder = graph.placeholder(dtype, [null, ...shape.map((dim, i) => (open[i] ? null : dim))]);
    this.feeds.push({
      ref: placeholder,
      dtype,
      shape,
      data: random.list(this.batch, () => this.values(dtype, elementCount(shape), value)),
      hasRows: true,
      value: {
        kind: 'rows',
        axis: 0,
        dims: [
          Size.batch,
          ...shape.map((dim, i) => (open[i] ? Size.named(`${placeholder.node}.${i}`) : Size.of(dim))),
        ],
      },
    });
    let ref = placeholder;
    if (merges) ref = graph.first('Reshape', [ref, graph.integers([-1, ...others])]);
    if (this.isDealt && !merges && axis === 0 && others.length === 3) {
      const pads = graph.constant(
        tensor('int32', [2, 2], [0, (others[0] ?? 0) % 2, 0, (others[1] ?? 0) % 2]),
      );
      ref = graph.first('SpaceToBatchND', [ref, graph.integers([2, 2]), pads]);
      const dealt = [4, Math.ceil((others[0] ?? 0) / 2), Math.ceil((others[1] ?? 0) / 2), others[2] ?? 0];
      return { ...ref, dims: dealt, axis, dtype };
    }
    if (axis > 0) {
      const order = dims.map((_, place) => (place === axis ? 0 : place < axis ? place + 1 : place));
      ref = graph.first('Transpose', [ref, graph.integers(order)]);
    }
    return { ...ref, dims, axis, dtype };
  }

  /** The same for all: a constant, or an input that is fed alike. */
  fixed(dims: readonly number[], { dtype = 'float32', value }: OperandOptions = {}): Operand {
    const data = this.values(dtype, elementCount(dims), value);
    return this.sameFor(dims, dtype, data, 0.25);
  }

  private sameFor(dims: readonly number[], dtype: Dtype, data: TensorData, fed: number): Operand {
    const { graph, random } = this;
    if (!random.chance(fed))
      return { ...graph.constant({ dtype, shape: dims, data }), dims, axis: undefined, dtype };
    const ref = graph.placeholder(dtype, dims);
    const value = same(dims.map(Size.of));
    this.feeds.push({ ref, dtype, shape: dims, data: [data], hasRows: false, value });
    return { ...ref, dims, axis: undefined, dtype };
  }

  /** Rows along a random axis, or the same for all. @param rows how likely rows are */
  either(dims: readonly number[], options: OperandOptions = {}, rows = 0.75): Operand {
    if (dims.length === 0 || !this.random.chance(rows)) return this.fixed(dims, options);
    const axis = this.random.chance(0.5) ? 0 : this.random.int(0, dims.length - 1);
    return this.rows(this.oneSlice(dims, axis), axis, options);
  }

  /** Mostly one slice for each row. */
  oneSlice(dims: readonly number[], axis: number): number[] {
    return dims.map((dim, i) => (i !== axis ? dim : this.random.chance(0.85) ? 1 : this.random.int(2, 3)));
  }

  /**
   * Tensors that can be broadcast together, mostly with rows along the same axis.
   *
   * @param options of each
   * @param isExact all have the same dims
   */
  broadcast(options: readonly OperandOptions[], isExact = false): Operand[] {
    const { random } = this;
    const dims = this.dims(1, 4);
    const axis = random.chance(0.6) ? 0 : random.int(0, dims.length - 1);
    const slices = random.chance(0.85) ? 1 : 2;
    const withRows = options.map(() => random.chance(0.65));
    if (!withRows.includes(true)) withRows[random.int(0, options.length - 1)] = random.chance(0.9);
    return options.map((option, i) => {
      if (withRows[i]) {
        const start = isExact ? 0 : random.int(0, random.chance(0.5) ? 0 : axis);
        const moved = random.chance(0.1) ? random.int(start, dims.length - 1) : axis;
        const own = dims.map((dim, place) =>
          place === moved ? slices : !isExact && random.chance(0.2) ? 1 : dim,
        );
        return this.rows(own.slice(start), moved - start, option);
      }
      if (!isExact && random.chance(0.25)) return this.fixed([], option);
      const start = isExact ? 0 : random.int(0, dims.length);
      const own = dims.map((dim, place) => {
        if (place === axis)
          return random.chance(0.7) ? 1 : random.pick([slices, this.batch, slices * this.batch]);
        return !isExact && random.chance(0.3) ? 1 : dim;
      });
      return this.fixed(own.slice(start), option);
    });
  }

  /** Whole numbers, such as axes: known ones, but for a few that are fed. */
  numbers(values: number | readonly number[], dtype: 'int32' | 'int64' = 'int32', shape?: number[]): Operand {
    const all = typeof values === 'number' ? [values] : values;
    const dims = shape ?? (typeof values === 'number' ? [] : [all.length]);
    return this.sameFor(dims, dtype, tensor(dtype, dims, all).data, 0.05);
  }

  /** The shape of some rows, as a vector. */
  shapeOf(operand: Ref, dtype: 'int32' | 'int64' = 'int32'): Ref {
    return this.graph.first('Shape', [operand], { out_type: dtype });
  }

  /** The number of rows times the slices of each, as a scalar. */
  rowCount(operand: Operand, dtype: 'int32' | 'int64' = 'int32'): Ref {
    const { graph } = this;
    const axis = operand.axis ?? 0;
    const ends = [graph.integers([axis]), graph.integers([axis + 1]), graph.integers([1])];
    return graph.first('StridedSlice', [this.shapeOf(operand, dtype), ...ends], { shrink_axis_mask: 1 });
  }

  /** Adds an operation. @returns its outputs */
  add(op: string, inputs: readonly Ref[], attributes: Attributes = {}): Ref[] {
    return this.graph.add(op, inputs, attributes, { leavesOut: () => this.random.chance(0.5) });
  }

  /** Adds the operation that this is a case of, and has all its outputs looked at. */
  judge(inputs: readonly Ref[], attributes: Attributes = {}): Ref[] {
    const outputs = this.add(this.op, inputs, attributes);
    this.outputs.push(...outputs);
    return outputs;
  }

  values(dtype: Dtype, count: number, value: MakeValue = anyValue(dtype)): TensorData {
    const made = this.random.list(count, () => value(this.random));
    return tensor(dtype, [count], made).data;
  }
}

const utf8 = new TextEncoder();

/** A tensor of these values; of complex numbers the imaginary part is half the real one, or one less. */
export function tensor(
  dtype: Dtype,
  shape: readonly number[],
  values: readonly (number | string | Uint8Array)[],
) {
  if (dtype === 'string')
    return {
      dtype,
      shape,
      data: values.map((text) => (text instanceof Uint8Array ? text : utf8.encode(String(text)))),
    };
  const { values: array, bytes } = allocate(dtype, values.length);
  const isBig = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (const [i, text] of values.entries()) {
    const value = Number(text);
    if (isBig) array[i] = BigInt(value);
    else if (dtype === 'complex64' || dtype === 'complex128') {
      array[2 * i] = value;
      array[2 * i + 1] = i % 2 === 0 ? value / 2 : value - 1;
    } else if (dtype === 'float16') array[i] = toFloat16(value);
    else if (dtype === 'bfloat16') array[i] = toBfloat16(value);
    else array[i] = value;
  }
  return { dtype, shape, data: bytes };
}

export function anyValue(dtype: Dtype): MakeValue {
  switch (dtype) {
    case 'string':
      return (random) => random.pick(texts) + (random.chance(0.5) ? random.int(0, 99) : '');
    case 'bool':
      return (random) => random.int(0, 1);
    case 'float16':
    case 'bfloat16':
    case 'float32':
    case 'float64':
    case 'complex64':
    case 'complex128':
      return (random) => random.int(-3000, 3000) / 1000;
    case 'uint8':
    case 'uint16':
    case 'uint32':
    case 'uint64':
      return (random) => random.int(0, 9);
    default:
      return (random) => random.int(-9, 9);
  }
}

/** Numbers between two, of floats and of whole ones. */
export function between(least: number, most: number, isWhole = false): MakeValue {
  return (random) => (isWhole ? random.int(least, most) : least + random.next() * (most - least));
}
