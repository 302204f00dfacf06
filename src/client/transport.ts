/** Sends one request and reads its answer, with API key, deadline and retries. */

import {
  inMilliseconds,
  type Milliseconds,
  type Moment,
  momentAfter,
  now,
  type Seconds,
  secondsUntil,
} from '../time.js';
import { binaryToDict, type Dict } from './decode.js';
import { RequestError, toRequestError } from './request-error.js';

export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The seconds for the whole call with all its tries. The server is told (`X-Request-Timeout`) and gives up as well.
   */
  readonly timeout?: Seconds | undefined;
  /** Sent as `X-API-Key`. */
  readonly apiKey?: string | undefined;
  /** How often a call is repeated after a 503, with which the server says that it did nothing; 3 by default. */
  readonly retries?: number | undefined;
  /** Further HTTP headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const mediaType = 'application/cbor';

/** The longest time of a timer in milliseconds. With more, it fires at once. */
const longestTimer = 2 ** 31 - 1;

/** The seconds before the first retry, and the longest pause. */
const backoff = { first: 0.1, longest: 5 };

/**
 * GETs, or POSTs a body.
 *
 * @throws RequestError for every answer but a success, if there is no connection, or when the time is up
 */
export async function call(
  url: string,
  body: Uint8Array<ArrayBuffer> | undefined,
  options: CallOptions,
): Promise<Dict> {
  const { timeout, retries = 3 } = options;
  const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : momentAfter(timeout);
  for (let tries = 0; ; tries++) {
    try {
      return await withinTime(options.signal, deadline, (signal) =>
        attempt(url, body, options, deadline, signal),
      );
    } catch (error) {
      const isRefused = error instanceof RequestError && error.status === 503;
      if (!isRefused || tries >= retries) throw error;
      const wait = inMilliseconds(pause(tries, error.retryAfter ?? 0));
      // The error says more than a timeout would.
      if (now() + wait >= deadline) throw error;
      await withinTime(options.signal, deadline, (signal) => sleep(wait, signal));
    }
  }
}

/**
 * The seconds to wait: what the server asks for, and a random time that grows, so that many clients do not come back at
 * once.
 */
function pause(tries: number, retryAfter: Seconds): Seconds {
  return retryAfter + Math.random() * Math.min(backoff.first * 2 ** tries, backoff.longest);
}

async function attempt(
  url: string,
  body: Uint8Array<ArrayBuffer> | undefined,
  options: CallOptions,
  deadline: Moment,
  signal: AbortSignal | null,
): Promise<Dict> {
  const { response, bytes } = await exchange(url, {
    method: body ? 'POST' : 'GET',
    headers: headersFor(body !== undefined, options, deadline),
    body: body ?? null,
    signal,
  });
  if (!response.ok) throw toRequestError(response, bytes);
  return binaryToDict(bytes);
}

async function exchange(url: string, init: RequestInit): Promise<{ response: Response; bytes: Uint8Array }> {
  try {
    const response = await fetch(url, init);
    return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    const isAddress = /^https?:\/\//i.test(url);
    // In a page, an address without a scheme is one on the page's own server.
    if (!isAddress && !('location' in globalThis))
      throw new RequestError(
        'INVALID_ARGUMENT',
        `expected an address that begins with http:// or https://, got ${url}`,
        { cause: error },
      );
    const { message, cause } = error as Error;
    const details = cause instanceof Error ? `${message}: ${cause.message.trim()}` : message;
    const advice = adviceOnTls(cause);
    throw new RequestError('UNAVAILABLE', `no answer from ${url}: ${details}${advice}`, { cause: error });
  }
}

/** What to do about an error of TLS in Node, after a semicolon; empty for any other error. Pages do not hear of them. */
function adviceOnTls(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER))/.test(code))
    return "; start Node with NODE_EXTRA_CA_CERTS=FILE, the authority that signed the server's certificate";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code))
    return '; the server speaks no TLS here: write http:// in the address';
  if (/CERTIFICATE_REQUIRED/.test(code)) return '; the server asks for a certificate of ours';
  return '';
}

function headersFor(
  hasBody: boolean,
  { apiKey, headers }: CallOptions,
  deadline: Moment,
): Record<string, string> {
  // The server takes a decimal number above 0, without an exponent.
  const left = Math.max(secondsUntil(deadline), 0.001);
  return {
    accept: mediaType,
    ...(hasBody ? { 'content-type': mediaType } : {}),
    ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    ...(Number.isFinite(left) ? { 'x-request-timeout': left.toFixed(3) } : {}),
    ...headers,
  };
}

/** Acts under a signal that is aborted with the caller's signal, or at the deadline. */
async function withinTime<Result>(
  outer: AbortSignal | undefined,
  deadline: Moment,
  action: (signal: AbortSignal | null) => Promise<Result>,
): Promise<Result> {
  outer?.throwIfAborted();
  // A signal costs more than everything else here.
  if (!outer && deadline === Number.POSITIVE_INFINITY) return action(null);
  const inner = new AbortController();
  const abort = () => inner.abort(outer?.reason);
  const timeUp = () => inner.abort(new RequestError('DEADLINE_EXCEEDED', 'the time of the call is up'));
  outer?.addEventListener('abort', abort);
  const timer =
    deadline === Number.POSITIVE_INFINITY
      ? undefined
      : setTimeout(timeUp, Math.min(deadline - now(), longestTimer));
  try {
    return await action(inner.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}

function sleep(time: Milliseconds, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, time);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
