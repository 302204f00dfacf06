/**
 * The errors that a client can be told about: one table and one class.
 *
 * A {@link ServingError} has a code and a message that are meant for the caller. Any other error that reaches the HTTP
 * layer is a fault of ours. It is answered as INTERNAL, and its text appears only in the log.
 */
import type { Seconds } from './time.js';

/** The HTTP status of each code. The names are those of gRPC, which TensorFlow uses too. Some more are HTTP's own. */
export const httpStatusOf = {
  INVALID_ARGUMENT: 400,
  OUT_OF_RANGE: 400,
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
} as const;

/** What went wrong, in one word that programs can branch on. */
export type ErrorCode = keyof typeof httpStatusOf;

/** A fact that would help the caller. Each protocol has its own words for it, and may have none. */
export type Remedy =
  | { readonly kind: 'name a model' }
  | { readonly kind: 'list models' }
  | { readonly kind: 'load'; readonly model: string }
  | { readonly kind: 'look at a model'; readonly model: string }
  /** `bytes` is the line of Python that makes the values of a dtype that plain CBOR and JSON lack. */
  | { readonly kind: 'send a dtype'; readonly dtype: string; readonly bytes: string | undefined }
  /** @param path is the path of the request, escaped */
  | { readonly kind: 'look at the paths'; readonly path: string };

/** What an error may have besides its code and message. */
export interface ErrorDetails extends ErrorOptions {
  /** The same request may succeed then; only for UNAVAILABLE and RESOURCE_EXHAUSTED. */
  readonly retryAfter?: Seconds | undefined;
  /** What the surface adds to the message, in the words of its protocol. */
  readonly remedy?: Remedy | undefined;
}

/** An error whose code and message are meant for the caller. */
export class ServingError extends Error {
  override readonly name: string = 'ServingError';
  readonly retryAfter: Seconds | undefined;
  readonly remedy: Remedy | undefined;

  /**
   * @param code says what went wrong in one word
   * @param message says what was expected, what came, and what to do
   * @param retryAfter is the number of seconds after which the same request may succeed; only for UNAVAILABLE and
   * RESOURCE_EXHAUSTED
   * @param remedy is what the surface adds to the message, in the words of its protocol
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    { retryAfter, remedy, ...options }: ErrorDetails = {},
  ) {
    super(message, options);
    this.retryAfter = retryAfter;
    this.remedy = remedy;
  }
}

/** All codes. */
export const errorCodes = Object.keys(httpStatusOf) as ErrorCode[];

/** The first code with an HTTP status; undefined if there is none. */
export function errorCodeOf(status: number): ErrorCode | undefined {
  return errorCodes.find((code) => httpStatusOf[code] === status);
}

/** True for a name that {@link httpStatusOf} lists. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(httpStatusOf, code);
}

/** The most common refusal: the caller sent something that cannot be right. */
export function invalidArgument(message: string): ServingError {
  return new ServingError('INVALID_ARGUMENT', message);
}

/** The error for a request after the server has been told to stop. */
export function shuttingDown(): ServingError {
  return new ServingError('UNAVAILABLE', 'the server is shutting down', { retryAfter: 1 });
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The characters of a client's own text that errors repeat. Without a limit, megabytes would go back to the client and
 * into the log.
 */
const longestQuote = 100;

/** A name between backquotes, cut short if it is long. */
export function quoted(text: string): string {
  if (text.length <= longestQuote) return `\`${text}\``;
  return `\`${text.slice(0, longestQuote)}…\` (${text.length} characters)`;
}

/** The most names that a list has, if nothing else is said. */
export const mostListed = 20;

/** Lists the first names, quoted, and the number of the others: `` `a`, `b` and 3 more ``. Numbers are not quoted. */
export function listed(names: Iterable<string | number>, most = mostListed): string {
  const all = [...names];
  const first = all.slice(0, most).map((name) => (typeof name === 'number' ? name : quoted(name)));
  return `${first.join(', ')}${all.length > most ? ` and ${all.length - most} more` : ''}`;
}
