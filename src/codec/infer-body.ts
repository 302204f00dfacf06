/** What the body of an inference request says, whatever its encoding. */

import { callerInputs } from '../engines/composite.js';
import { formatSpec, type Signature, type TensorSpec } from '../engines/signature.js';
import { invalidArgument, listed, quoted, type ServingError } from '../errors.js';
import { type Claim, claimNothing, type Steps, toEnd } from '../flow/steps.js';
import { matchInSteps } from '../serving/match-composites.js';
import { bounds } from '../tensors/limits.js';
import { disposeTensors, type NamedTensors, type Tensor } from '../tfjs/tensors.js';
import { type Component, splitComposites, splitNames } from './composite-inputs.js';
import { checkDenseSizes } from './dense-sizes.js';
import { refuseOtherProtocols, unknownKey } from './other-protocols.js';
import {
  describeParts,
  type PartsOfTensor,
  type TypedTensor,
  toTensor,
  typedTensor,
  type WireLimits,
  type WireTensor,
} from './wire.js';

/** What a decoder makes of a body. */
export interface InferBody<Wire extends WireTensor = WireTensor> {
  /** The inputs by the names that callers know. There are none beside {@link onlyInput}. */
  readonly inputs: ReadonlyMap<string, Wire>;
  /** A body that is one tensor without a name. It is for the only input of the signature. */
  readonly onlyInput?: Wire | undefined;
  /** The name of the signature. Left out, it is the model's default one. */
  readonly signature?: string | undefined;
  /** The outputs that the request asks for. Left out, it asks for all. */
  readonly outputs?: readonly string[] | undefined;
}

/** Checks the keys of an envelope. @throws ServingError INVALID_ARGUMENT naming a key that it does not have */
export function checkEnvelope(keys: Iterable<string>): void {
  for (const key of keys) {
    if (key !== 'inputs' && key !== 'signature' && key !== 'outputs') throw unknownKey(key, quoted(key));
  }
}

/**
 * Checks the length of the name of an input, an output, a signature or a dtype.
 * @throws ServingError INVALID_ARGUMENT
 */
export function checkName(what: string, bytes: number): void {
  if (bytes > bounds.nameBytes.most)
    throw invalidArgument(`${what} has ${bytes} bytes: a name has at most ${bounds.nameBytes.most}`);
}

/** Checks the number of requested outputs. @throws ServingError INVALID_ARGUMENT for more than any signature has */
export function checkNameCount(count: number): void {
  if (count > bounds.outputs.most)
    throw invalidArgument(`\`outputs\` has more than ${bounds.outputs.most} names: name each output once`);
}

/**
 * The inputs of the request by name.
 *
 * @throws ServingError INVALID_ARGUMENT if the body is one tensor and the signature takes several inputs or none
 */
function namedInputs(
  { inputs, onlyInput }: Pick<InferBody, 'inputs' | 'onlyInput'>,
  signature: Signature,
): ReadonlyMap<string, WireTensor> {
  if (!onlyInput) return inputs;
  const specs = callerInputs(signature);
  const [name, ...more] = specs.keys();
  if (name !== undefined && more.length === 0) return new Map([[name, onlyInput]]);
  const takes = Array.from(specs.values(), (spec) => `\`${spec.name}\` ${formatSpec(spec)}`);
  throw invalidArgument(
    `the body is one tensor, and \`${signature.name}\` takes ${takes.join(' and ') || 'no inputs'}: send one that names its tensors`,
  );
}

/** True if all inputs are tensors already. Then {@link toTensors} takes no time. */
export function isTyped({ inputs, onlyInput }: InferBody): boolean {
  if (onlyInput) return onlyInput.kind === 'typed';
  for (const { kind } of inputs.values()) if (kind !== 'typed') return false;
  return true;
}

/**
 * Makes the tensors of a request for a signature.
 *
 * @param claim is called before values take memory
 * @throws ServingError INVALID_ARGUMENT naming the input; then no tensor is left
 */
export function* tensorsInSteps(
  request: InferBody,
  signature: Signature,
  limits: WireLimits,
  claim: Claim,
): Steps<NamedTensors> {
  const inputs = namedInputs(request, signature);
  const { composites } = signature;
  refuseOtherProtocols(
    inputs.keys(),
    (name) => signature.inputs.has(name) || composites?.inputs.has(name) === true,
  );
  const split: ReadonlyMap<string, Component> = composites
    ? yield* splitComposites(inputs, composites.inputs, limits, claim)
    : new Map(Array.from(inputs, ([name, wire]) => [name, { wire }]));
  const tensors = new Map<string, Tensor>();
  try {
    for (const [name, { wire, label }] of split) {
      const spec = signature.inputs.get(name);
      if (!spec) continue;
      if (wire.kind === 'parts') throw partsApart(spec, wire, signature);
      tensors.set(
        name,
        yield* toTensor(wire, label === undefined ? spec : { ...spec, name: label }, limits, claim),
      );
    }
    if (composites) {
      yield* checkDenseSizes(tensors, composites.inputs, limits);
      // A missing or unknown name is reported first.
      const areAll = split.size === signature.inputs.size && tensors.size === split.size;
      if (areAll) yield* matchInSteps(signature, composites.inputs, tensors);
    }
    return tensors;
  } catch (error) {
    disposeTensors(tensors);
    throw error;
  }
}

/**
 * The error for the parts of a sparse or ragged tensor that came as one value for a dense tensor, which may be one of
 * the parts.
 */
function partsApart(spec: TensorSpec, wire: PartsOfTensor, { inputs }: Signature): ServingError {
  const parts = wire.parts.has('indices') ? ['indices', 'values', 'dense_shape'] : ['values', 'row_splits'];
  const names = parts.map((_, i) => (i === 0 ? spec.name : `${spec.name}_${i}`));
  const advice = names.every((name) => inputs.has(name))
    ? `: the model does not tell which inputs are its parts. Send ${listed(parts)} as inputs of their own, ` +
      `by the names ${listed(names)}`
    : '';
  return invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got ${describeParts(wire)}${advice}`,
  );
}

/** Does the same as {@link tensorsInSteps}, in one go. A common request needs no steps, which cost 2 µs. */
export function toTensors(request: InferBody, signature: Signature, limits: WireLimits): NamedTensors {
  if (signature.composites || !isTyped(request))
    return toEnd(tensorsInSteps(request, signature, limits, claimNothing));
  const inputs = namedInputs(request, signature) as ReadonlyMap<string, TypedTensor>;
  refuseOtherProtocols(inputs.keys(), (name) => signature.inputs.has(name));
  return makeTensors(inputs, signature, typedTensor);
}

/** The names of the graph's tensors that a request gives, including those that the signature lacks. */
export function inputNames(request: InferBody, signature: Signature): Iterable<string> {
  const inputs = namedInputs(request, signature);
  const { composites } = signature;
  return composites ? splitNames(inputs, composites.inputs) : inputs.keys();
}

/**
 * Makes a tensor for each input of the signature. Matching refuses names that the signature lacks. If one tensor cannot
 * be made, none is left.
 */
export function makeTensors<Value>(
  inputs: Iterable<readonly [name: string, Value]>,
  signature: Signature,
  make: (value: Value, spec: TensorSpec) => Tensor,
): NamedTensors {
  const tensors = new Map<string, Tensor>();
  try {
    for (const [name, value] of inputs) {
      const spec = signature.inputs.get(name);
      if (spec) tensors.set(name, make(value, spec));
    }
    return tensors;
  } catch (error) {
    disposeTensors(tensors);
    throw error;
  }
}
