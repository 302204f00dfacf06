/** Answers requests that Node's parser refuses, in the form of every other error. */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { httpStatusOf, invalidArgument, ServingError } from '../../errors.js';
import { errorValue } from '../answer/error-value.js';
import type { Services } from '../services.js';

/** The details that Node adds to an error of the parser. */
interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

export function answerParserErrors(
  http: Server,
  { logger, exchanges }: Pick<Services, 'logger' | 'exchanges'>,
): void {
  http.on('clientError', (error: ParserError, socket: Socket) => {
    // The bytes that came stay out of the log, because they may hold a key.
    logger.debug({ code: error.code }, `a request could not be read: ${error.message}`);
    if (socket.writable && !hasAnswerBegun(socket)) {
      const failure = failureOf(error);
      socket.write(answerTo(failure));
      const answer = answerWithin(socket);
      if (answer) {
        if (!hasLeft(error)) exchanges.refused(answer, failure);
      } else exchanges.unreadable(socket.remoteAddress ?? '', failure);
    }
    socket.destroySoon();
  });
  // Without a listener, Node closes the connection without an answer.
  http.on('connect', (_req, socket: Socket) => {
    const failure = new ServingError('METHOD_NOT_ALLOWED', 'this is no proxy: it takes no CONNECT');
    socket.on('error', () => {}).end(answerTo(failure, ['Allow: GET, HEAD, POST']));
    exchanges.unreadable(socket.remoteAddress ?? '', failure);
  });
}

/** A socket of Node's server knows the answer to the request whose head has come. Node's own checks read the same field. */
type ServerSocket = Socket & { readonly _httpMessage?: ServerResponse | null };

/** True if an answer is under way, which nothing may follow. */
function hasAnswerBegun(socket: ServerSocket): boolean {
  return socket._httpMessage?.headersSent === true;
}

/** True if the client ended its request early. Its record says so, whatever was written for it. */
function hasLeft({ code }: ParserError): boolean {
  return code === 'HPE_INVALID_EOF_STATE' || code === 'ECONNRESET';
}

/** The answer to the request whose head has come, and which has a record already; undefined before a head. */
function answerWithin(socket: ServerSocket): ServerResponse | undefined {
  return socket._httpMessage ?? undefined;
}

function failureOf({ code, reason, message }: ParserError): ServingError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ServingError('HEADERS_TOO_LARGE', 'expected a head of at most 16 KiB, got a larger one');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new ServingError('PAYLOAD_TOO_LARGE', 'the extensions of a chunk are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ServingError('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_INVALID_METHOD':
      // If a body is not announced, it is read as the next request.
      return invalidArgument(
        'the request is no valid HTTP: expected a method; if this is the body of the request before, send that with Content-Length or chunked',
      );
    default:
      return invalidArgument(`the request is no valid HTTP: ${reason ?? message}`);
  }
}

function answerTo(failure: ServingError, headers: readonly string[] = []): string {
  const status = httpStatusOf[failure.code];
  const body = `${JSON.stringify(errorValue(failure))}\n`;
  const head = [
    `HTTP/1.1 ${status} ${failure.code}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
