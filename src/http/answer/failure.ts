/** Turns anything that was thrown into an error that a caller may see. */
import { errorCodeOf, messageOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';

/** An error with an HTTP status that a handler's route threw. The text is the handler's own. */
export class HandlerRefusal extends ServingError {}

/** The error for the caller. The text of our own faults stays in the log. */
export function toServingError(error: unknown, logger: Logger, requestId: string): ServingError {
  if (error instanceof ServingError) return error;
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 413) return new ServingError('PAYLOAD_TOO_LARGE', 'the body is too large');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new HandlerRefusal(errorCodeOf(status) ?? 'INVALID_ARGUMENT', messageOf(error));
  logger.error({ err: error, request_id: requestId }, 'a request failed unexpectedly');
  return new ServingError('INTERNAL', 'an internal error; the log has the details');
}
