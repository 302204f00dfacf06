/**
 * Which errors of a run are the model's own: no input can mend them.
 */

import { isLacking, isUninitialized, TensorFlowError } from '../../engines/tensorflow/tensorflow-error.js';
import { messageOf } from '../../errors.js';

/** TensorFlow's texts; the same code also stands for a file that an input names, or for a value that does not fit. */
const texts: readonly RegExp[] = [
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
  const message = messageOf(error);
  if (error.code === 'UNIMPLEMENTED' || isUninitialized(message) || isLacking(message)) return true;
  return texts.some((text) => text.test(message));
}
