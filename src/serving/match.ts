/** Compares the tensors of a request with a signature, and tells one sample from a batch. */

import { callerInputs, componentsOf } from '../engines/composite.js';
import {
  type CallerSpec,
  fits,
  formatShape,
  formatSpec,
  type Signature,
  type TensorSpec,
} from '../engines/signature.js';
import { invalidArgument, quoted, type ServingError } from '../errors.js';
import {
  type NamedTensors,
  reshapeTensor,
  type Tensor,
  type TensorView,
  viewTensor,
} from '../tfjs/tensors.js';
import { matchComposites } from './match-composites.js';
import { wrongDtype } from './wrong-dtype.js';

/** Inputs as the graph takes them. */
export interface MatchedInputs {
  /** The caller's tensors, or new ones over the same values with the batch dim added. */
  readonly inputs: NamedTensors;
  /** True if the inputs were one sample. The batch dim was added, and is removed from the outputs. */
  readonly single: boolean;
  /** Disposes the tensors that were made here. */
  dispose(): void;
}

/**
 * Matches inputs with a signature, and adds the batch dim if one sample came without it.
 *
 * Only inputs whose first dim is unknown decide, and they must agree: one rank below the spec means one sample. Scalars
 * and inputs of fixed shape stay as they are. A fixed first dim of 1 may be left out. If the signature has a sparse or
 * ragged tensor, no dim may be left out.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input, what was expected and what came
 */
export function matchInputs(
  model: string,
  signature: Signature,
  inputs: NamedTensors,
  given: Iterable<string>,
): MatchedInputs {
  checkNames(model, signature, given);
  if (signature.composites) {
    matchComposites(signature, signature.composites.inputs, inputs);
    return { inputs, single: false, dispose: () => {} };
  }
  let sample: string | undefined;
  let batch: string | undefined;
  const added: string[] = [];
  for (const spec of signature.inputs.values()) {
    const view = viewTensor(inputs.get(spec.name) as Tensor);
    if (view.dtype !== spec.dtype) throw wrongDtype(spec, view);
    const leavesOutFirst = isOneRankBelow(spec, view);
    if (leavesOutFirst) added.push(spec.name);
    if (spec.shape?.[0] === null) {
      if (leavesOutFirst) sample ??= spec.name;
      else batch ??= spec.name;
    }
  }
  if (sample !== undefined && batch !== undefined) throw mixed(signature, inputs, sample, batch);
  return addBatchDim(inputs, added, sample !== undefined);
}

function checkNames(model: string, signature: Signature, given: Iterable<string>): void {
  const names = [...given];
  const unknown = names.find((name) => !signature.inputs.has(name));
  if (unknown === undefined && names.length === signature.inputs.size) return;
  const specs = [...callerInputs(signature).values()];
  const missing = specs.find((spec) => !isGiven(spec, names))?.name;
  const takes = specs.map((spec) => `\`${spec.name}\` ${formatSpec(spec)}`).join(' and ');
  const what = unknown === undefined ? `input \`${missing}\` is missing` : `no input ${quoted(unknown)}`;
  throw invalidArgument(`${what}: \`${signature.name}\` of \`${model}\` takes ${takes || 'no inputs'}`);
}

function isGiven(spec: CallerSpec, names: readonly string[]): boolean {
  return (spec.kind === undefined ? [spec] : componentsOf(spec)).every(({ name }) => names.includes(name));
}

/** @throws ServingError if the shape fits neither as it is nor with a dim in front */
function isOneRankBelow(spec: TensorSpec, { dtype, shape }: TensorView): boolean {
  if (spec.shape === null || fits(spec.shape, shape)) return false;
  const [first, ...rest] = spec.shape;
  const mayLeaveOut = first === null || first === 1;
  if (mayLeaveOut && fits(rest, shape)) return true;
  const alternative = mayLeaveOut ? `, or ${formatShape(rest)} for one sample` : '';
  throw invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}${alternative}, got ${dtype} ${formatShape(shape)}`,
  );
}

function addBatchDim(inputs: NamedTensors, names: readonly string[], single: boolean): MatchedInputs {
  if (names.length === 0) return { inputs, single, dispose: () => {} };
  const matched = new Map(inputs);
  const made: Tensor[] = [];
  for (const name of names) {
    const tensor = inputs.get(name) as Tensor;
    const batched = reshapeTensor(tensor, [1, ...tensor.shape]);
    matched.set(name, batched);
    made.push(batched);
  }
  const dispose = () => {
    for (const tensor of made) tensor.dispose();
  };
  return { inputs: matched, single, dispose };
}

/**
 * Removes the batch dim from the outputs of one sample, if their spec has an unknown first dim.
 *
 * @param outputs are disposed if another tensor takes their place
 */
export function removeBatchDim(signature: Signature, outputs: NamedTensors): NamedTensors {
  const removed = new Map<string, Tensor>();
  for (const [name, tensor] of outputs) {
    const spec = signature.outputs.get(name);
    // An output that a handler did not declare has a batch dim as well.
    const isBatched = (spec === undefined || spec.shape?.[0] === null) && tensor.shape[0] === 1;
    removed.set(name, isBatched ? reshapeTensor(tensor, tensor.shape.slice(1)) : tensor);
    if (isBatched) tensor.dispose();
  }
  return removed;
}

function mixed(signature: Signature, inputs: NamedTensors, sample: string, batch: string): ServingError {
  const describe = (name: string) =>
    `\`${name}\` ${formatShape(inputs.get(name)?.shape ?? null)} where a batch is ${formatShape(signature.inputs.get(name)?.shape ?? null)}`;
  return invalidArgument(
    `one sample and a batch are mixed: ${describe(sample)} is one sample, ${describe(batch)} is a batch; give all inputs the batch dim, or none`,
  );
}
