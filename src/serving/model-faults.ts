/**
 * Which errors of a run are the model's own: no input can mend them.
 */
import { messageOf } from '../errors.js';
import { TensorFlowError } from '../runtime/tensorflow-error.js';

/** TensorFlow's texts; the same code also stands for a file that an input names, or for a value that does not fit. */
const texts: readonly RegExp[] = [
  // Variables, as TensorFlow 1 and TensorFlow 2 have them.
  /Attempting to use uninitialized/,
  /Could not find variable /,
  /the variable (?:was|is) uninitialized/,
  /(?:Resource|Container) \S+ does not exist/,
  // Tables.
  /[Tt]able (?:is )?not initialized/,
  // Operations that this TensorFlow does not have at all, or not for this device, dtype or layout.
  /No OpKernel was registered/,
  /No registered '.*' OpKernel/,
  /Op type not registered/,
  // What the signature names and the graph lacks.
  /the graph has no operation /,
  /operation \S+ has no output /,
  // TensorFlow.js, behind a handler.
  /Kernel '.*' not registered for backend/,
  /Unknown op '/,
];

/** True for uninitialised variables and tables, and for kernels and operations that are missing or unfinished. */
export function isModelsOwnFault(error: unknown): boolean {
  if (!(error instanceof TensorFlowError)) return false;
  return error.code === 'UNIMPLEMENTED' || texts.some((text) => text.test(messageOf(error)));
}
