/**
 * Makes inputs for a run before there are requests: one row of each. The parts of a sparse or ragged tensor fit
 * together.
 */
import type {
  CompositeSpec,
  RaggedSpec,
  Signature,
  SparseSpec,
  TensorSpec,
} from '../../engines/signature.js';
import { allocate } from '../../tensors/values.js';
import { createTensor, type NamedTensors, type Tensor } from '../../tfjs/tensors.js';
import { makeRow } from './made-up-runs.js';

/** The dims of a sparse tensor of unknown rank. */
const usualRank = 2;

/** Makes a tensor for every input. The caller disposes them. */
export function makeInputs({ inputs, composites }: Signature): NamedTensors {
  const made = new Map<string, Tensor>();
  for (const spec of composites?.inputs.values() ?? [])
    for (const [name, tensor] of makeComposite(spec)) made.set(name, tensor);
  for (const spec of inputs.values()) if (!made.has(spec.name)) made.set(spec.name, makeRow(spec));
  return made;
}

function makeComposite(spec: CompositeSpec): [name: string, tensor: Tensor][] {
  return spec.kind === 'sparse' ? makeSparse(spec) : makeRagged(spec);
}

/** Makes a sparse tensor with one value, in the first place. */
function makeSparse({ shape, indices, values, denseShape }: SparseSpec): [string, Tensor][] {
  const sizes = (shape ?? new Array<null>(usualRank).fill(null)).map((dim) => dim ?? 1);
  const count = sizes.includes(0) ? 0 : 1;
  return [
    [indices.name, makeIntegers(indices, [count, sizes.length], new Array(count * sizes.length).fill(0))],
    [values.name, makeRow({ ...values, shape: [count] })],
    [denseShape.name, makeIntegers(denseShape, [sizes.length], sizes)],
  ];
}

/** Makes a ragged tensor with one row of one value, unless the dims ask for more. */
function makeRagged({ shape, values, rowSplits }: RaggedSpec): [string, Tensor][] {
  let rows = shape?.[0] ?? 1;
  const made = rowSplits.map((spec, i): [string, Tensor] => {
    const length = shape?.[i + 1] ?? 1;
    const splits = Array.from({ length: rows + 1 }, (_, row) => row * length);
    rows *= length;
    return [spec.name, makeIntegers(spec, [splits.length], splits)];
  });
  return [[values.name, makeRow({ ...values, shape: [rows, ...(values.shape?.slice(1) ?? [])] })], ...made];
}

function makeIntegers({ dtype }: TensorSpec, shape: readonly number[], integers: readonly number[]): Tensor {
  const type = dtype === 'int32' ? 'int32' : 'int64';
  const { values, bytes } = allocate(type, integers.length);
  for (const [i, integer] of integers.entries())
    values[i] = values instanceof BigInt64Array ? BigInt(integer) : integer;
  return createTensor(type, shape, bytes);
}
