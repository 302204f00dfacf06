/**
 * What the body of an inference request says, whatever its encoding.
 */
import { invalidArgument, quoted } from '../errors.js';
import type { Signature, TensorSpec } from '../runtime/signature.js';
import { disposeTensors, type NamedTensors, type Tensor } from '../runtime/tensors.js';
import { toTensor, type WireLimits, type WireTensor } from './wire.js';

export interface InferRequest {
  readonly inputs: ReadonlyMap<string, WireTensor>;
  readonly signature: string | undefined;
  /** The outputs to give; all by default. */
  readonly outputs: readonly string[] | undefined;
}

/** Checks the keys of an envelope. @throws ServingError INVALID_ARGUMENT naming the one that is not its */
export function checkEnvelope(keys: Iterable<string>): void {
  for (const key of keys) {
    if (key !== 'inputs' && key !== 'signature' && key !== 'outputs')
      throw invalidArgument(
        `the envelope takes \`inputs\`, \`signature\` and \`outputs\`, not ${quoted(key)}`,
      );
  }
}

/**
 * The request's tensors under a signature.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input; then none of the tensors is left
 */
export function toTensors(request: InferRequest, signature: Signature, limits: WireLimits): NamedTensors {
  return makeTensors(request.inputs, signature, (wire, spec) => toTensor(wire, spec, limits));
}

/**
 * A tensor of each input that the signature has; names that it does not have are refused where inputs are matched. If one
 * cannot be made, none is left.
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
