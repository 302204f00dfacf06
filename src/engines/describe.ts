/**
 * Signatures as JSON-like values, for `/models`, `/model_info` and `inspect`.
 */

import type { Dtype } from '../tensors/dtypes.js';
import { callerInputs, callerOutputs } from './composite.js';
import type { CallerSpec, Dim, Signature } from './signature.js';

export interface SpecDescription {
  /** Left out for a tensor that is neither. */
  readonly kind?: 'sparse' | 'ragged';
  readonly dtype: Dtype;
  /** -1 is a size that is settled per request. */
  readonly shape: number[] | 'unknown rank';
  /** How many dims from the first on have row splits, the first not counted: of a ragged tensor. */
  readonly ragged_rank?: number;
}

export interface SignatureDescription {
  readonly inputs: Record<string, SpecDescription>;
  readonly outputs: Record<string, SpecDescription>;
}

/** `{"inputs": {name: {"dtype", "shape"}}, "outputs": …}` */
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

/** Without a prototype, so that a tensor called `__proto__` is a key like any other. */
export function mapToObject<Value, Description>(
  map: ReadonlyMap<string, Value>,
  describe: (value: Value) => Description,
): Record<string, Description> {
  const object: Record<string, Description> = Object.create(null);
  for (const [name, value] of map) object[name] = describe(value);
  return object;
}
