/**
 * Holds the tensors of a signature with sparse or ragged ones against it: whether the parts of each fit together.
 *
 * TensorFlow's operations take that for granted in places, and abort the process or read past the end where it is not so.
 */
import { invalidArgument } from '../errors.js';
import { componentsOf } from '../runtime/composite.js';
import {
  type CompositeSpec,
  formatShape,
  formatSpec,
  type RaggedSpec,
  type Signature,
  type SparseSpec,
  type TensorSpec,
} from '../runtime/signature.js';
import { type NamedTensors, type Tensor, type TensorView, viewTensor } from '../runtime/tensors.js';
import { viewOf } from '../runtime/values.js';
import { fits, wrongDtype } from './fit.js';

/** TensorFlow has no tensors of more dims; beyond it the process would abort. */
const maxRank = 254;

/** TensorFlow counts the elements of a dense shape in so many bits. */
const maxDenseElements = 2n ** 63n - 1n;

/**
 * @param composites of the signature's inputs
 * @param inputs every tensor that the signature takes
 * @throws ServingError INVALID_ARGUMENT naming the input, what was expected and what came
 */
export function matchComposites(
  signature: Signature,
  composites: ReadonlyMap<string, CompositeSpec>,
  inputs: NamedTensors,
): void {
  const labels = new Map<string, string>();
  for (const spec of composites.values()) {
    for (const [i, { name }] of componentsOf(spec).entries()) labels.set(name, labelOf(spec, i));
  }
  const views = new Map<string, TensorView>();
  for (const spec of signature.inputs.values()) {
    const view = viewTensor(inputs.get(spec.name) as Tensor);
    checkTensor({ ...spec, name: labels.get(spec.name) ?? spec.name }, view);
    views.set(spec.name, view);
  }
  const viewOfPart = ({ name }: TensorSpec) => views.get(name) as TensorView;
  for (const spec of composites.values()) {
    if (spec.kind === 'sparse') checkSparse(spec, viewOfPart);
    else checkRagged(spec, viewOfPart);
  }
}

/** `x/values`, whatever the graph calls it. */
function labelOf({ kind, name }: CompositeSpec, component: number): string {
  const parts = kind === 'sparse' ? ['indices', 'values', 'dense_shape'] : ['values'];
  return `${name}/${parts[component] ?? 'row_splits'}`;
}

function checkTensor(spec: TensorSpec, view: TensorView): void {
  if (view.dtype !== spec.dtype) throw wrongDtype(spec, view);
  if (spec.shape === null || fits(spec.shape, view.shape)) return;
  throw invalidArgument(
    `input \`${spec.name}\` takes ${formatSpec(spec)}; ${view.dtype} ${formatShape(view.shape)} came`,
  );
}

/** The parts of a value by their specs. */
type Parts = (spec: TensorSpec) => TensorView;

function checkSparse(spec: SparseSpec, part: Parts): void {
  const [indices, values, denseShape] = [part(spec.indices), part(spec.values), part(spec.denseShape)];
  const what = `input \`${spec.name}\``;
  const [count, rank = 0] = indices.shape;
  if (indices.shape.length !== 2 || values.shape.length !== 1 || denseShape.shape.length !== 1)
    throw invalidArgument(
      `${what} takes indices [n, rank], values [n] and a dense shape [rank]; ` +
        `${[indices, values, denseShape].map(({ shape }) => formatShape(shape)).join(', ')} came`,
    );
  if (values.shape[0] !== count)
    throw invalidArgument(`${what} has ${count} indices and ${values.shape[0]} values: each value takes one`);
  if (denseShape.shape[0] !== rank || (spec.shape !== null && spec.shape.length !== rank))
    throw invalidArgument(
      `${what}: indices of ${rank} numbers and a dense shape of ${denseShape.shape[0]} came` +
        `${spec.shape === null ? '' : `, where ${formatSpec(spec)} has ${spec.shape.length}`}`,
    );
  if (rank === 0 || rank > maxRank)
    throw invalidArgument(`${what} has rank ${rank}: a sparse tensor has 1 to ${maxRank} dims`);
  const sizes = integersOf(denseShape);
  checkDenseShape(what, spec, sizes);
  const places = integersOf(indices);
  for (let i = 0; i < places.length; i++) {
    const [place, size] = [places[i] as bigint, sizes[i % sizes.length] as bigint];
    if (place >= 0 && place < size) continue;
    const index = Math.floor(i / sizes.length);
    throw invalidArgument(
      `${what}: index ${index} is outside the dense shape: ${place} in dim ${i % sizes.length} of size ${size}`,
    );
  }
}

function checkDenseShape(what: string, spec: SparseSpec, sizes: BigInt64Array): void {
  let elements = 1n;
  for (const [i, size] of sizes.entries()) {
    const expected = spec.shape?.[i] ?? null;
    if (size < 0 || (expected !== null && size !== BigInt(expected)))
      throw invalidArgument(`${what} takes ${formatSpec(spec)}; a dense shape of [${sizes.join(', ')}] came`);
    elements *= size > 0 ? size : 1n;
  }
  if (elements > maxDenseElements)
    throw invalidArgument(`${what}: a dense shape of [${sizes.join(', ')}] is beyond what TensorFlow counts`);
}

function checkRagged(spec: RaggedSpec, part: Parts): void {
  const what = `input \`${spec.name}\``;
  const rows = spec.shape?.[0] ?? null;
  for (const [dim, splitsSpec] of spec.rowSplits.entries()) {
    const view = part(splitsSpec);
    const next = part(spec.rowSplits[dim + 1] ?? spec.values);
    if (view.shape.length !== 1 || view.shape[0] === 0)
      throw invalidArgument(
        `${what}: row_splits ${formatShape(view.shape)} came, where one more than there are rows must be`,
      );
    const count = (view.shape[0] as number) - 1;
    if (dim === 0 && rows !== null && count !== rows)
      throw invalidArgument(`${what} takes ${formatSpec(spec)}; ${count} rows came`);
    const isLast = dim === spec.rowSplits.length - 1;
    const length = next.shape[0];
    if (length === undefined) throw invalidArgument(`${what}: its values are a scalar`);
    checkSplits(what, spec, dim, integersOf(view), isLast ? length : length - 1);
  }
}

/** @param within how many values or rows the splits are of */
function checkSplits(
  what: string,
  spec: RaggedSpec,
  dim: number,
  splits: BigInt64Array,
  within: number,
): void {
  const level = spec.rowSplits.length > 1 ? ` of dim ${dim + 1}` : '';
  const expected = spec.shape?.[dim + 1] ?? null;
  if (Number(splits[0]) !== 0)
    throw invalidArgument(`${what}: its row_splits${level} begin with ${splits[0]} and not with 0`);
  for (let i = 1; i < splits.length; i++) {
    const length = Number(splits[i]) - Number(splits[i - 1]);
    if (length < 0)
      throw invalidArgument(
        `${what}: its row_splits${level} must ascend, and ${splits[i]} follows ${splits[i - 1]}`,
      );
    if (expected !== null && length !== expected)
      throw invalidArgument(`${what} takes ${formatSpec(spec)}; a row of ${length} came`);
  }
  const end = Number(splits[splits.length - 1]);
  if (end !== within)
    throw invalidArgument(
      `${what}: its row_splits${level} end with ${end}, and there are ${within} ` +
        `${dim === spec.rowSplits.length - 1 ? 'values' : 'rows within'}`,
    );
}

/** @throws ServingError for another dtype: TensorFlow has indices of these two only */
function integersOf({ dtype, data }: TensorView): BigInt64Array {
  if (dtype === 'string') throw invalidArgument('row splits and indices are int64 or int32, not string');
  const values = viewOf(dtype, data as Uint8Array);
  if (values instanceof BigInt64Array) return values;
  return BigInt64Array.from(values as Int32Array, BigInt);
}
