/** Marks errors about inputs with the signature, so that the caller can be shown what it takes. */

import type { Signature } from '../engines/signature.js';
import { type ErrorCode, type Remedy, ServingError } from '../errors.js';

export class RefusedInputs extends ServingError {
  /** @param signature is the one that was asked for */
  constructor(
    code: ErrorCode,
    message: string,
    readonly signature: Signature,
    remedy?: Remedy,
  ) {
    super(code, message, { remedy });
  }
}

/** Adds the signature to an error if the inputs are to blame. Any other error stays as it is. */
export function withSignature(error: unknown, signature: Signature | undefined): unknown {
  if (!(error instanceof ServingError) || error instanceof RefusedInputs || !signature) return error;
  if (error.code !== 'INVALID_ARGUMENT' && error.code !== 'UNSUPPORTED_MEDIA_TYPE') return error;
  return new RefusedInputs(error.code, error.message, signature, error.remedy);
}
