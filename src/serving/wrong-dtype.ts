/** The refusal of a tensor whose dtype is not the one that a spec asks for. It says what to do. */

import { formatSpec, type TensorSpec } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import type { Dtype } from '../tensors/dtypes.js';
import { viewOf } from '../tensors/values.js';
import type { TensorView } from '../tfjs/tensors.js';

export function wrongDtype(
  spec: Pick<TensorSpec, 'name' | 'dtype' | 'shape'>,
  view: TensorView,
): ServingError {
  const how =
    spec.dtype === 'uint8' && isScaled(view)
      ? 'scale its values, which are from 0 to 1, as (255 * x).round().astype(np.uint8)'
      : advice(spec.dtype);
  return new ServingError(
    'INVALID_ARGUMENT',
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got ${view.dtype}${how === undefined ? '' : `: ${how}`}`,
    { remedy: { kind: 'send a dtype', dtype: spec.dtype, bytes: describedBytes[spec.dtype] } },
  );
}

/** True for fractions from 0 to 1, as in an image. A cast to integers would make nearly all of them 0. */
function isScaled({ dtype, data }: TensorView): boolean {
  if ((dtype !== 'float32' && dtype !== 'float64') || !(data instanceof Uint8Array)) return false;
  const some = Array.from(viewOf(dtype, data.slice(0, 8192)) as Float32Array);
  return some.every((value) => value >= 0 && value <= 1) && some.some((value) => value > 0 && value < 1);
}

/** The line of Python that would fix it; undefined if that depends on the protocol. */
function advice(dtype: Dtype): string | undefined {
  if (dtype === 'string') return 'send text or byte strings';
  if (describedBytes[dtype] !== undefined) return undefined;
  return `send x.astype(np.${dtype})${inJavaScript(dtype)}`;
}

/** How Python makes the values of dtypes without a typed array. A protocol has its own form for them, or none. */
const describedBytes: Partial<Record<Dtype, string>> = {
  bool: 'x.astype(np.bool_).tobytes()',
  complex64: 'x.astype(np.complex64).tobytes()',
  complex128: 'x.astype(np.complex128).tobytes()',
  bfloat16: 'x.astype(ml_dtypes.bfloat16).tobytes()',
};

/** The same advice for JavaScript; empty for a dtype without a typed array there. */
function inJavaScript(dtype: Dtype): string {
  const name = arrayNames[dtype];
  if (name === undefined) return '';
  return `, or in JavaScript ${name}.from(x, ${name.startsWith('Big') ? 'BigInt' : 'Number'})`;
}

const arrayNames: Partial<Record<Dtype, string>> = {
  uint8: 'Uint8Array',
  uint16: 'Uint16Array',
  uint32: 'Uint32Array',
  int8: 'Int8Array',
  int16: 'Int16Array',
  int32: 'Int32Array',
  int64: 'BigInt64Array',
  uint64: 'BigUint64Array',
  float32: 'Float32Array',
  float64: 'Float64Array',
};
