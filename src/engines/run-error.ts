/**
 * The error of a run that an engine could not finish. The model, its inputs or the machine caused it. It is not a
 * refusal by the server.
 */
import { type ErrorCode, ServingError } from '../errors.js';

export class RunError extends ServingError {
  /** @param engine is the name that people know */
  constructor(
    readonly engine: string,
    code: ErrorCode,
    message: string,
  ) {
    super(code, message);
  }

  /** True if no other input would help, because the model lacks something. */
  get isModelsOwn(): boolean {
    return false;
  }
}
