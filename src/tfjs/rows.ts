/** Joins the tensors of several requests along the first dim, and splits the outputs again. */
import { invalidArgument } from '../errors.js';
import { type Dtype, elementCount } from '../tensors/dtypes.js';
import { joinStrings, type Strings } from '../tensors/strings.js';
import { fill } from '../tensors/values.js';
import {
  createTensor,
  type NamedTensors,
  sliceTensor,
  type Tensor,
  type TensorData,
  viewTensor,
} from './tensors.js';

/** Rows that are added to bring a batch to a certain size. */
export interface Padding {
  /** How many there are. They follow the rows of the members. */
  readonly rows: number;
  /** The value of their elements, in the tensor's own dtype. Strings are empty. */
  readonly value: number;
}

/** Values that are still in pieces. The pieces follow each other in row-major order. */
export interface JoinedTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes, in one piece or in several; for strings, all elements. */
  readonly data: Uint8Array | readonly Uint8Array[] | Strings;
}

/**
 * Joins the same input of every member, in order. It copies nothing.
 *
 * @param tensors have one dtype, and dims that agree except for the first
 */
export function joinRows(tensors: readonly Tensor[], padding: Padding | undefined): JoinedTensor {
  const [first] = tensors;
  if (first === undefined) throw new RangeError('no tensors to join');
  const view = viewTensor(first);
  if (tensors.length === 1 && padding === undefined) return view;
  const { dtype, shape } = view;
  const rest = shape.slice(1);
  let rows = 0;
  const data: TensorData[] = [];
  for (const tensor of tensors) {
    rows += tensor.shape[0] ?? 0;
    data.push(viewTensor(tensor).data);
  }
  if (padding) {
    rows += padding.rows;
    const count = padding.rows * elementCount(rest);
    data.push(
      dtype === 'string'
        ? new Array<Uint8Array>(count).fill(new Uint8Array())
        : fill(dtype, count, padding.value),
    );
  }
  return {
    dtype,
    shape: [rows, ...rest],
    data: dtype === 'string' ? joinStrings(data as Strings[]) : (data as Uint8Array[]),
  };
}

/**
 * Joins the same input of every member into one tensor. A single member's tensor is returned as it is.
 *
 * @param made is called with a new tensor, which the callee must dispose
 */
export function joinTensors(
  tensors: readonly Tensor[],
  padding: Padding | undefined,
  made: (tensor: Tensor) => void,
): Tensor {
  const [only] = tensors;
  if (only && tensors.length === 1 && padding === undefined) return only;
  const { dtype, shape, data } = joinRows(tensors, padding);
  const isInPieces = dtype !== 'string' && !(data instanceof Uint8Array);
  const joined = createTensor(dtype, shape, isInPieces ? Buffer.concat(data as readonly Uint8Array[]) : data);
  made(joined);
  return joined;
}

/** The same input of every member. @throws ServingError INVALID_ARGUMENT if a member lacks it */
export function inputOf(name: string, members: readonly NamedTensors[]): Tensor[] {
  return members.map((inputs) => {
    const tensor = inputs.get(name);
    if (!tensor) throw invalidArgument(`input \`${name}\` is missing`);
    return tensor;
  });
}

/** The rows of a batch that belong to one member. */
export interface RowRange {
  readonly start: number;
  readonly count: number;
  /** True if the member is one sample: its tensors have no batch dim, and `count` is 1. */
  readonly single: boolean;
}

/**
 * The rows of the outputs that belong to each member, as views. The outputs are disposed when the last view is.
 *
 * @returns for each range, tensors that the receiver disposes
 */
export function splitRows(outputs: NamedTensors, ranges: readonly RowRange[]): NamedTensors[] {
  const members = ranges.map(() => new Map<string, Tensor>());
  for (const [name, tensor] of outputs) {
    let left = ranges.length;
    const release = () => {
      left -= 1;
      if (left === 0) tensor.dispose();
    };
    ranges.forEach(({ start, count, single }, i) => {
      members[i]?.set(name, sliceTensor(tensor, start, count, single, release));
    });
  }
  return members;
}
