/**
 * Whether a tensor is what a spec asks for, and what to say if not.
 */
import { invalidArgument, type ServingError } from '../errors.js';
import type { Dtype, dtypes } from '../runtime/dtypes.js';
import { formatSpec, type TensorSpec } from '../runtime/signature.js';
import type { TensorView } from '../runtime/tensors.js';

/** True if a shape is one that the dims of a spec allow. */
export function fits(spec: readonly (number | null)[], shape: readonly number[]): boolean {
  return spec.length === shape.length && spec.every((dim, i) => dim === null || dim === shape[i]);
}

export function wrongDtype(
  spec: Pick<TensorSpec, 'name' | 'dtype' | 'shape'>,
  view: TensorView,
): ServingError {
  return invalidArgument(
    `${view.dtype} for input \`${spec.name}\`, which takes ${formatSpec(spec)}: ${advice(spec.dtype)}`,
  );
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
      return `send x.astype(np.${dtype})`;
  }
}

function describedForm(dtype: keyof typeof dtypes, bytes: string): string {
  return `send {"dtype": "${dtype}", "shape": x.shape, "data": ${bytes}}`;
}
