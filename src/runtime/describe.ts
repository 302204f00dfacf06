/**
 * Signatures as JSON-like values, for `/models`, `/model_info` and `inspect`.
 */
import { formatShape, type Signature, type TensorSpec } from './signature.js';

/** `{"inputs": {name: {"dtype", "shape"}}, "outputs": …}`; -1 is a size that is settled per request. */
export function describeSignature({ inputs, outputs }: Signature): object {
  return { inputs: mapToObject(inputs, describeSpec), outputs: mapToObject(outputs, describeSpec) };
}

function describeSpec({ dtype, shape }: TensorSpec): object {
  return { dtype, shape: shape === null ? formatShape(shape) : shape.map((dim) => dim ?? -1) };
}

/** Without a prototype, so that a tensor called `__proto__` is a key like any other. */
export function mapToObject<Value>(
  map: ReadonlyMap<string, Value>,
  describe: (value: Value) => unknown,
): object {
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, value] of map) object[name] = describe(value);
  return object;
}
