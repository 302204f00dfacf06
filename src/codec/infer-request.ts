/**
 * What the body of an inference request says, whatever its encoding.
 */
import { invalidArgument, quoted } from '../errors.js';
import { formatSpec, type Signature, type TensorSpec } from '../runtime/signature.js';
import { disposeTensors, type NamedTensors, type Tensor } from '../runtime/tensors.js';
import { toTensor, type WireLimits, type WireTensor } from './wire.js';

export interface InferRequest<Wire extends WireTensor = WireTensor> {
  readonly inputs: ReadonlyMap<string, Wire>;
  /** A body that is one tensor and names none: it is for the only input of the signature. */
  readonly onlyInput?: Wire;
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
 * The request's inputs by name.
 *
 * @throws ServingError INVALID_ARGUMENT if it is one tensor, and the signature takes several or none
 */
export function namedInputs(
  { inputs, onlyInput }: Pick<InferRequest, 'inputs' | 'onlyInput'>,
  signature: Signature,
): ReadonlyMap<string, WireTensor> {
  if (!onlyInput) return inputs;
  const [name, ...more] = signature.inputs.keys();
  if (name !== undefined && more.length === 0) return new Map([[name, onlyInput]]);
  const takes = Array.from(signature.inputs.values(), (spec) => `\`${spec.name}\` ${formatSpec(spec)}`);
  throw invalidArgument(
    `the body is one tensor, and \`${signature.name}\` takes ${takes.join(' and ') || 'no inputs'}: send a form or a map`,
  );
}

/**
 * The request's tensors under a signature.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input; then none of the tensors is left
 */
export function toTensors(request: InferRequest, signature: Signature, limits: WireLimits): NamedTensors {
  return makeTensors(namedInputs(request, signature), signature, (wire, spec) =>
    toTensor(wire, spec, limits),
  );
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
