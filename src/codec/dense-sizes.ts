/**
 * Computes the size of sparse and ragged tensors when a model writes them out. A few bytes can stand for a tensor of
 * any size.
 */

import { type CompositeSpec, formatShape, type RaggedSpec, type SparseSpec } from '../engines/signature.js';
import { invalidArgument } from '../errors.js';
import type { Steps } from '../flow/steps.js';
import { elementCount } from '../tensors/dtypes.js';
import { Integers } from '../tfjs/integers.js';
import { type NamedTensors, viewTensor } from '../tfjs/tensors.js';
import { checkRank, type WireLimits } from './wire.js';

/**
 * Refuses tensors that have more elements than the limit when they are written out. The limit is never less than one
 * row of the signature's fixed dims, or than the values that came.
 *
 * @throws ServingError INVALID_ARGUMENT
 */
export function* checkDenseSizes(
  tensors: NamedTensors,
  composites: ReadonlyMap<string, CompositeSpec>,
  { maxDenseElements }: WireLimits,
): Steps<void> {
  for (const spec of composites.values()) {
    const sizes = spec.kind === 'sparse' ? sparseSizes(spec, tensors) : yield* raggedSizes(spec, tensors);
    if (!sizes) continue;
    const fixed = elementsOf(spec.shape ?? []);
    const values = tensors.get(spec.values.name);
    const most = Math.max(maxDenseElements, fixed, values ? elementCount(values.shape) : 0);
    if (elementsOf(sizes) > most)
      throw invalidArgument(
        `the dense shape of input \`${spec.name}\` is ${formatShape(sizes)}, more than ${most} elements when it is written out (--max-dense-elements)`,
      );
  }
}

/** The elements of the known dims. A dim of 0 counts as 1, since the model may multiply the others. */
function elementsOf(sizes: readonly (number | null)[]): number {
  return elementCount(sizes.map((dim) => Math.max(dim ?? 1, 1)));
}

/** The dims of a sparse tensor. It is undefined if there are none; matching refuses the input then. */
function sparseSizes({ name, denseShape }: SparseSpec, tensors: NamedTensors): number[] | undefined {
  const sizes = integersOf(tensors, denseShape.name);
  if (!sizes) return undefined;
  checkRank(`the dense shape of input \`${name}\``, sizes.length);
  return Array.from({ length: sizes.length }, (_, i) => sizes.at(i));
}

/** The number of splits between two pauses. */
const manySplits = 2 ** 16;

/** For each dim, the length of its longest row. It is undefined if a part is missing. */
function* raggedSizes({ rowSplits, values }: RaggedSpec, tensors: NamedTensors): Steps<number[] | undefined> {
  const sizes: number[] = [];
  for (const { name } of rowSplits) {
    const splits = integersOf(tensors, name);
    if (!splits) return undefined;
    if (sizes.length === 0) sizes.push(splits.length - 1);
    let longest = 0;
    for (let i = 1; i < splits.length; i++) {
      longest = Math.max(longest, splits.at(i) - splits.at(i - 1));
      if (i % manySplits === 0) yield;
    }
    sizes.push(longest);
  }
  const row = tensors.get(values.name)?.shape.slice(1);
  return row && [...sizes, ...row];
}

function integersOf(tensors: NamedTensors, name: string): Integers | undefined {
  const tensor = tensors.get(name);
  if (!tensor) return undefined;
  const view = viewTensor(tensor);
  return view.dtype === 'int32' || view.dtype === 'int64' ? Integers.of(view) : undefined;
}
