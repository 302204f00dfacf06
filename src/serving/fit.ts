/**
 * Whether a tensor is what a spec asks for, and what to say if not.
 */

import { formatSpec, type TensorSpec } from '../engines/signature.js';
import { invalidArgument, type ServingError } from '../errors.js';
import type { Dtype, dtypes } from '../tensors/dtypes.js';
import { viewOf } from '../tensors/values.js';
import type { TensorView } from '../tfjs/tensors.js';

/** True if a shape is one that the dims of a spec allow. */
export function fits(spec: readonly (number | null)[], shape: readonly number[]): boolean {
  return spec.length === shape.length && spec.every((dim, i) => dim === null || dim === shape[i]);
}

export function wrongDtype(
  spec: Pick<TensorSpec, 'name' | 'dtype' | 'shape'>,
  view: TensorView,
): ServingError {
  const how =
    spec.dtype === 'uint8' && isScaled(view)
      ? 'scale its values, which are from 0 to 1, as (255 * x).round().astype(np.uint8)'
      : advice(spec.dtype);
  return invalidArgument(`${view.dtype} for input \`${spec.name}\`, which takes ${formatSpec(spec)}: ${how}`);
}

/** True for fractions from 0 to 1, as those of an image: to cast them would make nearly all of them 0. */
function isScaled({ dtype, data }: TensorView): boolean {
  if ((dtype !== 'float32' && dtype !== 'float64') || !(data instanceof Uint8Array)) return false;
  const some = Array.from(viewOf(dtype, data.slice(0, 8192)) as Float32Array);
  return some.every((value) => value >= 0 && value <= 1) && some.some((value) => value > 0 && value < 1);
}

/** The line of Python that would mend it. */
function advice(dtype: Dtype): string {
  switch (dtype) {
    case 'string':
      return 'send text or byte strings';
    case 'bool':
    case 'complex64':
    case 'complex128':
      return describedForm(dtype, `x.astype(np.${dtype === 'bool' ? 'bool_' : dtype}).tobytes()`);
    case 'bfloat16':
      return describedForm(dtype, 'x.astype(ml_dtypes.bfloat16).tobytes()');
    default:
      return `send x.astype(np.${dtype})${inJavaScript(dtype)}`;
  }
}

/** The same for a caller who has typed arrays of JavaScript; nothing for a dtype that JavaScript has no array of. */
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

function describedForm(dtype: keyof typeof dtypes, bytes: string): string {
  return `send {"dtype": "${dtype}", "shape": x.shape, "data": ${bytes}}`;
}
