/**
 * A failure of TensorFlow's own, with its code and text: the model's, its inputs' or the machine's fault, not our refusal.
 */
import { type ErrorCode, ServingError } from '../../errors.js';

export class TensorFlowError extends ServingError {}

/** Codes that kernels give to values that do not fit. As a server's own they would speak of its models and its state. */
const ofInputs: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'ABORTED',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'DATA_LOSS',
]);

/** Variables as TensorFlow 1 and TensorFlow 2 have them, and tables: no input can mend these. */
const uninitialized: readonly RegExp[] = [
  /Attempting to use uninitialized/,
  /Could not find variable /,
  /the variable (?:was|is) uninitialized/,
  /(?:Resource|Container) localhost\S* does not exist/,
  /[Tt]able (?:is )?not initialized/,
];

/** Operations that this TensorFlow does not have at all, or not for this device, dtype or layout. */
const lacking: readonly RegExp[] = [
  /No OpKernel was registered/,
  /No registered '.*' OpKernel/,
  /Op type not registered/,
];

/** The place in the graph, which is in what a kernel says, and not in what our addon says of sessions. */
const ofKernel = /\{\{(?:function_)?node /;

/** What kernels say of values with the code INTERNAL. */
const internalOfInputs: readonly RegExp[] = [
  // TruncateDiv and TruncateMod by 0 (cwise_ops_common.h).
  /Unexpected error in binary operator/,
  // EditDistance, of indices beyond its shapes (edit_distance_op.cc).
  /Got an inner product -?\d+ which would require/,
  // SparseConcat and others (overflow.h).
  /Encountered overflow from large input shape/,
  // EncodeJpeg and EncodePng, of pictures without pixels or too wide.
  /(?:JPEG|PNG) encoding failed/,
];

export function isUninitialized(message: string): boolean {
  return uninitialized.some((text) => text.test(message));
}

export function isLacking(message: string): boolean {
  return lacking.some((text) => text.test(message));
}

/** @param code of TensorFlow's, for a run */
export function runError(code: ErrorCode, message: string): TensorFlowError {
  return new TensorFlowError(codeOfRun(code, message), message);
}

function codeOfRun(code: ErrorCode, message: string): ErrorCode {
  if (code === 'INTERNAL')
    return internalOfInputs.some((text) => text.test(message)) ? 'INVALID_ARGUMENT' : code;
  if (!ofInputs.has(code)) return code;
  if (isUninitialized(message)) return 'FAILED_PRECONDITION';
  if (isLacking(message)) return 'UNIMPLEMENTED';
  return ofKernel.test(message) ? 'INVALID_ARGUMENT' : code;
}
