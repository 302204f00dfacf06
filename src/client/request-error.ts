/** How a request can fail. */
import { type ErrorCode, type ErrorDetails, errorCodeOf, isErrorCode, ServingError } from '../errors.js';
import { binaryToDict, type Dict } from './decode.js';

export interface RequestErrorDetails extends Pick<ErrorDetails, 'retryAfter' | 'cause'> {
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
}

/**
 * The server's refusal, or the reason why no answer came: UNAVAILABLE without a status if there was no connection,
 * DEADLINE_EXCEEDED without one if the time of the call was up.
 */
export class RequestError extends ServingError {
  override readonly name = 'RequestError';
  /** The HTTP status; undefined if no answer came. */
  readonly status: number | undefined;
  /** The id of the request in the server's log. */
  readonly requestId: string | undefined;

  constructor(code: ErrorCode, message: string, details: RequestErrorDetails = {}) {
    const { status, requestId, ...others } = details;
    super(code, message, others);
    this.status = status;
    this.requestId = requestId;
  }
}

/**
 * The error in an answer. An answer that is not from the server, but for example from a proxy, is judged by its status.
 */
export function toRequestError(response: Response, body: Uint8Array): RequestError {
  const { status, headers } = response;
  const details = {
    status,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfter: secondsOf(headers.get('retry-after')),
  };
  const { code, message } = errorIn(body);
  if (isErrorCode(code)) return new RequestError(code, String(message), details);
  return new RequestError(
    errorCodeOf(status) ?? 'UNKNOWN',
    `HTTP ${status} ${response.statusText}`.trim(),
    details,
  );
}

function errorIn(body: Uint8Array): Dict {
  try {
    return (binaryToDict(body)['error'] ?? {}) as Dict;
  } catch {
    return {};
  }
}

/** Reads `Retry-After`: seconds, or a date. */
function secondsOf(header: string | null): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}
