/**
 * Signatures as JSON-like values, for `/models`, `/model_info` and `inspect`.
 */

import type { Dtype } from '../tensors/dtypes.js';
import { callerInputs, callerOutputs } from './composite.js';
import type { CallerSpec, Dim, Signature } from './signature.js';

export interface SpecDescription {
  /** Absent for a tensor that is neither. */
  readonly kind?: 'sparse' | 'ragged';
  readonly dtype: Dtype;
  /** The shape, with -1 for a size that differs between requests. */
  readonly shape: number[] | 'unknown rank';
  /** For a ragged tensor, the number of dims with row splits, counted from the second dim. */
  readonly ragged_rank?: number;
}

export interface SignatureDescription {
  readonly inputs: Record<string, SpecDescription>;
  readonly outputs: Record<string, SpecDescription>;
}

/** Describes a signature as `{"inputs": {name: {"dtype", "shape"}}, "outputs": …}`. */
export function describeSignature(signature: Signature): SignatureDescription {
  return {
    inputs: mapToObject(callerInputs(signature), describeSpec),
    outputs: mapToObject(callerOutputs(signature), describeSpec),
  };
}

function describeSpec(spec: CallerSpec): SpecDescription {
  const { kind, dtype } = spec;
  const tensor = { dtype, shape: describeShape(spec.shape) };
  if (kind === undefined) return tensor;
  return kind === 'ragged' ? { kind, ...tensor, ragged_rank: spec.rowSplits.length } : { kind, ...tensor };
}

function describeShape(shape: readonly Dim[] | null): number[] | 'unknown rank' {
  return shape === null ? 'unknown rank' : shape.map((dim) => dim ?? -1);
}

/** Makes an object without a prototype, so that a tensor called `__proto__` is a key like any other. */
export function mapToObject<Value, Description>(
  map: ReadonlyMap<string, Value>,
  describe: (value: Value) => Description,
): Record<string, Description> {
  const object: Record<string, Description> = Object.create(null);
  for (const [name, value] of map) object[name] = describe(value);
  return object;
}
