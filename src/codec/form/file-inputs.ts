/** Handles a file, or only the name of one, that came where a tensor is expected. */

import { fits, formatSpec, type TensorSpec } from '../../engines/signature.js';
import { invalidArgument, quoted } from '../../errors.js';
import { fileKindOf, imageField, isFileName } from './file-kind.js';

/** True for an input of strings, or of one vector of bytes. Such an input takes a file that is no image. */
export function takesAnyFile({ dtype, shape }: TensorSpec, bytes: number): boolean {
  if (dtype === 'string') return true;
  return dtype === 'uint8' && shape?.length === 1 && fits(shape, [bytes]);
}

/** True for an input of strings, or of a vector of bytes that came as a value, with or without the batch dim. */
function takesFile({ dtype, shape }: TensorSpec, bytes: number): boolean {
  if (dtype === 'string') return true;
  if (dtype !== 'uint8') return false;
  return shape === null || fits(shape, [bytes]) || fits(shape.slice(1), [bytes]);
}

/**
 * Refuses the bytes of a file of a known kind for an input of numbers.
 *
 * @throws ServingError INVALID_ARGUMENT saying how to send the file
 */
export function refuseFileBytes(spec: TensorSpec, bytes: Uint8Array): void {
  if (takesFile(spec, bytes.length)) return;
  const kind = fileKindOf(bytes);
  if (!kind) return;
  const advice =
    kind.mediaType === undefined
      ? ''
      : `: send it as a form, ${imageField(spec.name, kind)}, or as the body with -H 'content-type: ${kind.mediaType}'`;
  throw invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got the bytes of ${kind.what}${advice}`,
  );
}

/**
 * Refuses the name of a file for an input of numbers.
 *
 * @throws ServingError INVALID_ARGUMENT saying how to send the file
 */
export function refuseFileName(spec: TensorSpec, text: string): void {
  if (spec.dtype === 'string' || !isFileName(text)) return;
  throw invalidArgument(
    `input \`${spec.name}\`: expected ${formatSpec(spec)}, got the name of a file: did you mean ` +
      `-F ${quoted(`${spec.name}=@${text.trim()}`)}?`,
  );
}
