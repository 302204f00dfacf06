/** The refusal of a tensor whose dtype is not the one that a spec asks for. It says what to do. */

import { formatSpec, type TensorSpec } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import { describedBytes, dtypeAdvice, scalingAdvice } from '../tensors/dtype-advice.js';
import { viewOf } from '../tensors/values.js';
import type { TensorView } from '../tfjs/tensors.js';

export function wrongDtype(
  spec: Pick<TensorSpec, 'name' | 'dtype' | 'shape'>,
  view: TensorView,
): ServingError {
  const how = spec.dtype === 'uint8' && isScaled(view) ? scalingAdvice : dtypeAdvice(spec.dtype);
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
