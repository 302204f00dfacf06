/**
 * A failure of TensorFlow's own, with its code and text: the model's, its inputs' or the machine's fault, not our refusal.
 */
import type { ErrorCode } from '../../errors.js';
import { RunError } from '../run-error.js';

export class TensorFlowError extends RunError {
  constructor(code: ErrorCode, message: string) {
    super('TensorFlow', code, message);
  }

  /** Variables and tables without a value, and kernels and operations that are missing or unfinished. */
  override get isModelsOwn(): boolean {
    const { code, message } = this;
    if (code === 'UNIMPLEMENTED' || isUninitialized(message) || isLacking(message)) return true;
    return ofModel.some((text) => text.test(message));
  }
}

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

/** The same codes also stand for a file that an input names, or for a value that does not fit. */
const ofModel: readonly RegExp[] = [
  // What the signature names and the graph lacks.
  /the graph has no operation /,
  /operation \S+ has no output /,
  // TensorFlow.js, behind a handler.
  /Kernel '.*' not registered for backend/,
  /Unknown op '/,
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
