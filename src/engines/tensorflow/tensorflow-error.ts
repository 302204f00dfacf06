/**
 * A failure of TensorFlow, with its code and text. The model, its inputs or the machine caused it. It is not a refusal
 * by the server.
 */
import type { ErrorCode } from '../../errors.js';
import { RunError } from '../run-error.js';

export class TensorFlowError extends RunError {
  constructor(code: ErrorCode, message: string) {
    super('TensorFlow', code, message);
  }

  /** True for variables and tables without a value, and for kernels and operations that are missing or unfinished. */
  override get isModelsOwn(): boolean {
    const { code, message } = this;
    if (code === 'UNIMPLEMENTED' || isUninitialized(message) || isLacking(message)) return true;
    return ofModel.some((text) => text.test(message));
  }
}

/**
 * Codes that kernels give to values that do not fit. Coming from a server, they would speak of its models and its
 * state.
 */
const ofInputs: ReadonlySet<ErrorCode> = new Set([
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'ABORTED',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'DATA_LOSS',
]);

/** Messages about variables (of TensorFlow 1 and 2) and tables without a value. No other input would help. */
const uninitialized: readonly RegExp[] = [
  /Attempting to use uninitialized/,
  /Could not find variable /,
  /the variable (?:was|is) uninitialized/,
  /(?:Resource|Container) localhost\S* does not exist/,
  /[Tt]able (?:is )?not initialized/,
];

/** Messages about operations that this TensorFlow lacks, or lacks for this device, dtype or layout. */
const lacking: readonly RegExp[] = [
  /No OpKernel was registered/,
  /No registered '.*' OpKernel/,
  /Op type not registered/,
];

/** The place in the graph. Messages of kernels have it, and our addon's messages about sessions do not. */
const ofKernel = /\{\{(?:function_)?node /;

/** Messages of kernels about values, with the code INTERNAL. */
const internalOfInputs: readonly RegExp[] = [
  // TruncateDiv and TruncateMod by 0 (cwise_ops_common.h).
  /Unexpected error in binary operator/,
  // EditDistance with indices outside its shapes (edit_distance_op.cc).
  /Got an inner product -?\d+ which would require/,
  // SparseConcat and others (overflow.h).
  /Encountered overflow from large input shape/,
  // EncodeJpeg and EncodePng of pictures that are empty or too wide.
  /(?:JPEG|PNG) encoding failed/,
];

/**
 * Messages that blame the model. Their codes also stand for a file that an input names, or for a value that does not
 * fit.
 */
const ofModel: readonly RegExp[] = [
  // The signature names something that the graph lacks.
  /the graph has no operation /,
  /operation \S+ has no output /,
  // TensorFlow.js says this behind a handler.
  /Kernel '.*' not registered for backend/,
  /Unknown op '/,
];

function isUninitialized(message: string): boolean {
  return uninitialized.some((text) => text.test(message));
}

function isLacking(message: string): boolean {
  return lacking.some((text) => text.test(message));
}

/** @param code is TensorFlow's, for a run */
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
