/**
 * Checks that the parts of each sparse or ragged tensor fit together.
 *
 * Some of TensorFlow's operations rely on that. Otherwise they abort the process or read past the end.
 */

import { componentsOf } from '../engines/composite.js';
import {
  type CompositeSpec,
  fits,
  formatShape,
  formatSpec,
  type RaggedSpec,
  type Signature,
  type SparseSpec,
  type TensorSpec,
} from '../engines/signature.js';
import { invalidArgument } from '../errors.js';
import { type Steps, toEnd } from '../flow/steps.js';
import { Integers } from '../tfjs/integers.js';
import { type NamedTensors, type Tensor, type TensorView, viewTensor } from '../tfjs/tensors.js';
import { wrongDtype } from './wrong-dtype.js';

/** TensorFlow has no tensors of more dims. One would abort the process. */
const maxRank = 254;

/** TensorFlow counts the elements of a dense shape in 63 bits. */
const maxDenseElements = 2 ** 62;

/** Inputs that fit, and the signature that they fit. */
const matched = new WeakMap<NamedTensors, Signature>();

/** Does the same as {@link matchInSteps} in one go. It does nothing if that has been done with these inputs. */
export function matchComposites(
  signature: Signature,
  composites: ReadonlyMap<string, CompositeSpec>,
  inputs: NamedTensors,
): void {
  if (matched.get(inputs) === signature) return;
  toEnd(matchInSteps(signature, composites, inputs));
}

/**
 * @param composites are those of the signature's inputs
 * @param inputs has every tensor that the signature takes
 * @throws ServingError INVALID_ARGUMENT naming the input, what was expected and what came
 */
export function* matchInSteps(
  signature: Signature,
  composites: ReadonlyMap<string, CompositeSpec>,
  inputs: NamedTensors,
): Steps<void> {
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
    if (spec.kind === 'sparse') yield* checkSparse(spec, viewOfPart);
    else yield* checkRagged(spec, viewOfPart);
  }
  matched.set(inputs, signature);
}

/** Names a part as `x/values`, whatever the graph calls it. */
function labelOf({ kind, name }: CompositeSpec, component: number): string {
  const parts = kind === 'sparse' ? ['indices', 'values', 'dense_shape'] : ['values'];
  return `${name}/${parts[component] ?? 'row_splits'}`;
}

function checkTensor(spec: TensorSpec, view: TensorView): void {
  if (view.dtype !== spec.dtype) throw wrongDtype(spec, view);
  if (fits(spec.shape, view.shape)) return;
  throw invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got ${view.dtype} ${formatShape(view.shape)}`,
  );
}

/** The parts of a value by their specs. */
type Parts = (spec: TensorSpec) => TensorView;

/** The numbers that are checked between two pauses. */
const manyIntegers = 2 ** 16;

function* checkSparse(spec: SparseSpec, part: Parts): Steps<void> {
  const [indices, values, denseShape] = [part(spec.indices), part(spec.values), part(spec.denseShape)];
  const what = `input \`${spec.name}\``;
  const [count, rank = 0] = indices.shape;
  if (indices.shape.length !== 2 || values.shape.length !== 1 || denseShape.shape.length !== 1)
    throw invalidArgument(
      `${what}: expected indices [n, rank], values [n] and a dense shape [rank], got ` +
        `${[indices, values, denseShape].map(({ shape }) => formatShape(shape)).join(', ')}`,
    );
  if (values.shape[0] !== count)
    throw invalidArgument(`${what} has ${count} indices and ${values.shape[0]} values: each value takes one`);
  if (denseShape.shape[0] !== rank || (spec.shape !== null && spec.shape.length !== rank))
    throw invalidArgument(
      `${what}: expected ${spec.shape === null ? 'the same rank' : `rank ${spec.shape.length}`} for indices and dense shape, ` +
        `got ${rank} and ${denseShape.shape[0]}`,
    );
  if (rank === 0 || rank > maxRank)
    throw invalidArgument(`${what} has rank ${rank}: a sparse tensor has 1 to ${maxRank} dims`);
  const dims = Integers.of(denseShape);
  const sizes = Array.from({ length: dims.length }, (_, i) => dims.at(i));
  checkDenseShape(what, spec, sizes);
  const places = Integers.of(indices);
  for (let i = 0, dim = 0; i < places.length; i++) {
    const place = places.at(i);
    // Rounding keeps the order, so no place beyond the size passes.
    if (!(place >= 0 && place < (sizes[dim] as number))) {
      const index = Math.floor(i / sizes.length);
      throw invalidArgument(
        `${what}: index ${index} is outside the dense shape: ${place} in dim ${dim} of size ${sizes[dim]}`,
      );
    }
    dim = dim + 1 === sizes.length ? 0 : dim + 1;
    if (i % manyIntegers === manyIntegers - 1) yield;
  }
}

function checkDenseShape(what: string, spec: SparseSpec, sizes: readonly number[]): void {
  let elements = 1;
  for (const [i, size] of sizes.entries()) {
    const expected = spec.shape?.[i] ?? null;
    if (size < 0 || (expected !== null && size !== expected))
      throw invalidArgument(
        `${what}: expected ${formatSpec(spec)}, got a dense shape of [${sizes.join(', ')}]`,
      );
    elements *= Math.max(size, 1);
  }
  if (elements > maxDenseElements)
    throw invalidArgument(`${what}: a dense shape of [${sizes.join(', ')}] is beyond what TensorFlow counts`);
}

function* checkRagged(spec: RaggedSpec, part: Parts): Steps<void> {
  const what = `input \`${spec.name}\``;
  const rows = spec.shape?.[0] ?? null;
  for (const [dim, splitsSpec] of spec.rowSplits.entries()) {
    const view = part(splitsSpec);
    const next = part(spec.rowSplits[dim + 1] ?? spec.values);
    if (view.shape.length !== 1 || view.shape[0] === 0)
      throw invalidArgument(
        `${what}: expected one row split more than there are rows, got row_splits ${formatShape(view.shape)}`,
      );
    const count = (view.shape[0] as number) - 1;
    if (dim === 0 && rows !== null && count !== rows)
      throw invalidArgument(`${what}: expected ${formatSpec(spec)}, got ${count} rows`);
    const isLast = dim === spec.rowSplits.length - 1;
    const length = next.shape[0];
    if (length === undefined) throw invalidArgument(`${what}: its values are a scalar`);
    yield* checkSplits(what, spec, dim, Integers.of(view), isLast ? length : length - 1);
  }
}

/** @param within is the number of values or rows that the splits divide */
function* checkSplits(
  what: string,
  spec: RaggedSpec,
  dim: number,
  splits: Integers,
  within: number,
): Steps<void> {
  const level = spec.rowSplits.length > 1 ? ` of dim ${dim + 1}` : '';
  const expected = spec.shape?.[dim + 1] ?? null;
  let end = splits.at(0);
  if (end !== 0) throw invalidArgument(`${what}: its row_splits${level} begin with ${end} and not with 0`);
  for (let i = 1; i < splits.length; i++) {
    const next = splits.at(i);
    const length = next - end;
    if (length < 0)
      throw invalidArgument(`${what}: its row_splits${level} must ascend, and ${next} follows ${end}`);
    end = next;
    if (i % manyIntegers === 0) yield;
    if (expected !== null && length !== expected)
      throw invalidArgument(`${what}: expected ${formatSpec(spec)}, got a row of ${length}`);
  }
  if (end !== within)
    throw invalidArgument(
      `${what}: its row_splits${level} end with ${end}, and there are ${within} ` +
        `${dim === spec.rowSplits.length - 1 ? 'values' : 'rows within'}`,
    );
}
