/** Says how callers make the values of a dtype, in lines of Python and JavaScript that can be pasted. */
import type { Dtype } from './dtypes.js';

/** How fractions from 0 to 1, as in an image, become uint8. */
export const scalingAdvice = 'scale its values, which are from 0 to 1, as (255 * x).round().astype(np.uint8)';

/** The lines that make an array of this dtype; undefined if that depends on the protocol. */
export function dtypeAdvice(dtype: Dtype): string | undefined {
  if (dtype === 'string') return 'send text or byte strings';
  if (describedBytes[dtype] !== undefined) return undefined;
  return `send x.astype(np.${dtype})${inJavaScript(dtype)}`;
}

/** How Python makes the values of dtypes without a typed array. A protocol has its own form for them, or none. */
export const describedBytes: Partial<Record<Dtype, string>> = {
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
