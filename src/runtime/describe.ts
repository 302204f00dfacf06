/**
 * Signatures as JSON-like values, for `/models`, `/model_info` and `inspect`.
 */
import type { Dtype } from './dtypes.js';
import type { Signature, TensorSpec } from './signature.js';

export interface SpecDescription {
  readonly dtype: Dtype;
  /** -1 is a size that is settled per request. */
  readonly shape: number[] | 'unknown rank';
}

export interface SignatureDescription {
  readonly inputs: Record<string, SpecDescription>;
  readonly outputs: Record<string, SpecDescription>;
}

/** `{"inputs": {name: {"dtype", "shape"}}, "outputs": …}` */
export function describeSignature({ inputs, outputs }: Signature): SignatureDescription {
  return { inputs: mapToObject(inputs, describeSpec), outputs: mapToObject(outputs, describeSpec) };
}

function describeSpec({ dtype, shape }: TensorSpec): SpecDescription {
  return { dtype, shape: shape === null ? 'unknown rank' : shape.map((dim) => dim ?? -1) };
}

/** Without a prototype, so that a tensor called `__proto__` is a key like any other. */
export function mapToObject<Value, Description>(
  map: ReadonlyMap<string, Value>,
  describe: (value: Value) => Description,
): Record<string, Description> {
  const object: Record<string, Description> = Object.create(null);
  for (const [name, value] of map) object[name] = describe(value);
  return object;
}
