/**
 * What the body of an inference request says, whatever its encoding.
 */
import type { Signature } from '../runtime/signature.js';
import type { NamedTensors, Tensor } from '../runtime/tensors.js';
import { toTensor, type WireLimits, type WireTensor } from './wire.js';

export interface InferRequest {
  readonly inputs: ReadonlyMap<string, WireTensor>;
  readonly signature: string | undefined;
  /** The outputs to give; all by default. */
  readonly outputs: readonly string[] | undefined;
}

/**
 * The request's tensors under a signature. Names that it does not have keep their values, and are refused where inputs
 * are matched.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input; then none of the tensors is left
 */
export function toTensors(request: InferRequest, signature: Signature, limits: WireLimits): NamedTensors {
  const tensors = new Map<string, Tensor>();
  try {
    for (const [name, wire] of request.inputs) {
      const spec = signature.inputs.get(name);
      if (spec) tensors.set(name, toTensor(wire, spec, limits));
    }
    return tensors;
  } catch (error) {
    for (const tensor of tensors.values()) tensor.dispose();
    throw error;
  }
}
