/**
 * The errors a client can be told about: one table, one class.
 *
 * Everything that is thrown with a {@link ServingError} has a code and a message that are meant for the caller.
 * Anything else that reaches the HTTP layer is a fault of ours and is answered as INTERNAL, with its text kept in
 * the log only.
 */

/** Code → HTTP status. The names are gRPC's, which TensorFlow uses too; some more are HTTP's own. */
export const httpStatusOf = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  REQUEST_TIMEOUT: 408,
  FAILED_PRECONDITION: 409,
  ALREADY_EXISTS: 409,
  ABORTED: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RESOURCE_EXHAUSTED: 429,
  HEADERS_TOO_LARGE: 431,
  CANCELLED: 499,
  UNKNOWN: 500,
  INTERNAL: 500,
  DATA_LOSS: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  OUT_OF_RANGE: 400,
} as const;

/** What went wrong, in one word that programs can branch on. */
export type ErrorCode = keyof typeof httpStatusOf;

/** What would help a caller, as a fact: each protocol has its own words for it, and may have none. */
export type Remedy =
  | { readonly kind: 'name a model' }
  | { readonly kind: 'load'; readonly model: string }
  | { readonly kind: 'look at a model'; readonly model: string }
  /** `bytes`: the line of Python that makes the values of a dtype which plain CBOR and JSON have no form for. */
  | { readonly kind: 'send a dtype'; readonly dtype: string; readonly bytes: string | undefined }
  /** @param path as it came, escaped */
  | { readonly kind: 'look at the paths'; readonly path: string };

/** An error whose code and message are meant for the caller. */
export class ServingError extends Error {
  override readonly name: string = 'ServingError';

  /**
   * @param code what went wrong, in one word
   * @param message what was expected, what came, and what to do
   * @param retryAfter seconds after which the same request may succeed; only for UNAVAILABLE
   * @param remedy what the surface adds to the message, in the words of its protocol
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly retryAfter?: number,
    readonly remedy?: Remedy,
  ) {
    super(message);
  }
}

/** The first code of an HTTP status; undefined for one that no code has. */
export function errorCodeOf(status: number): ErrorCode | undefined {
  return (Object.keys(httpStatusOf) as ErrorCode[]).find((code) => httpStatusOf[code] === status);
}

/** True for a name that {@link httpStatusOf} lists. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(httpStatusOf, code);
}

/** Shorthand for the commonest refusal: the caller sent something that cannot be right. */
export function invalidArgument(message: string): ServingError {
  return new ServingError('INVALID_ARGUMENT', message);
}

/** What a request hears once the server has been told to stop. */
export function shuttingDown(): ServingError {
  return new ServingError('UNAVAILABLE', 'the server is shutting down', 1);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Characters of a client's own text that errors repeat; more would send its megabytes back to it, and into the log. */
const longestQuote = 100;

/** A name between backquotes, cut short if it is long. */
export function quoted(text: string): string {
  if (text.length <= longestQuote) return `\`${text}\``;
  return `\`${text.slice(0, longestQuote)}…\` (${text.length} characters)`;
}
