/**
 * A run that an engine could not finish: the model's, its inputs' or the machine's fault, and not a refusal of the server's.
 */
import { type ErrorCode, ServingError } from '../errors.js';

export class RunError extends ServingError {
  /** @param engine as people call it */
  constructor(
    readonly engine: string,
    code: ErrorCode,
    message: string,
  ) {
    super(code, message);
  }

  /** True for an error that no input can mend: the model lacks something. */
  get isModelsOwn(): boolean {
    return false;
  }
}
