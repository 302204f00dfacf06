/** The headers of answers, as the OpenAPI document describes them. Each is described once and referred to elsewhere. */
import { requestIdPattern } from '../request/request-id.js';

interface Header {
  /** The key among the components of the document. */
  readonly key: string;
  readonly description: string;
  /** Set if every answer that refers to it has it. */
  readonly required?: true;
  readonly schema: object;
}

const headers = {
  'X-Request-Id': {
    key: 'RequestId',
    description: "The caller's X-Request-Id, or a new one: the name of this request in logs.",
    required: true,
    schema: { type: 'string', pattern: requestIdPattern.source },
  },
  'Retry-After': {
    key: 'RetryAfter',
    description: 'Seconds after which the same request may succeed.',
    schema: { type: 'integer', minimum: 0 },
  },
  Allow: {
    key: 'Allow',
    description: 'The methods that the path takes.',
    required: true,
    schema: { type: 'string' },
  },
  'Server-Timing': {
    key: 'ServerTiming',
    description:
      'Where the time went, in milliseconds, if the server was started with --server-timing: decode, queue, batch, run, encode.',
    schema: { type: 'string' },
  },
  'Content-Disposition': {
    key: 'ContentDisposition',
    description: 'The name to keep the file under.',
    required: true,
    schema: { type: 'string' },
  },
  ETag: {
    key: 'ETag',
    description: 'Changes when the file does; for If-None-Match.',
    required: true,
    schema: { type: 'string' },
  },
} as const satisfies Record<string, Header>;

export type AnswerHeader = keyof typeof headers;

/** The `components.headers` of the document. */
export const headerComponents = Object.fromEntries(
  Object.values<Header>(headers).map(({ key, ...header }) => [key, header]),
);

/** The `headers` of an answer. */
export function referToHeaders(names: readonly AnswerHeader[]): Record<string, object> {
  return Object.fromEntries(
    names.map((name) => [name, { $ref: `#/components/headers/${headers[name].key}` }]),
  );
}
