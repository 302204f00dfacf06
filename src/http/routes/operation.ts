/**
 * What a route takes and returns. Its row of the route table says so, with zod schemas. Those of requests check the
 * requests, and those of answers give the types of answers.
 */
import type { ZodType } from 'zod';
import { valueCodecs } from '../../codec/codecs.js';
import type { ErrorCode } from '../../errors.js';
import type { AnswerHeader } from '../answer/answer-headers.js';

/** What the OpenAPI document says of a route. */
export interface Operation {
  /** The name that generated clients give it. No two operations have the same one. */
  readonly id: string;
  /** The heading that it stands under. */
  readonly tag: 'inference' | 'models' | 'health' | 'diagnosis' | 'documentation' | 'open inference protocol';
  readonly summary: string;
  readonly description?: string;
  /** The parameters. All those in the path must be here. */
  readonly parameters?: readonly Parameter[];
  readonly body?: RequestBody;
  /** The answers of success, by HTTP status. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** The errors in addition to those of authentication and of faults of the server. */
  readonly errors?: readonly ErrorCode[];
  /** What errors contain in the surface's form. By default it is that of our own protocol. */
  readonly errorContent?: Content;
}

/** A part of a path, a parameter of a query, or a header. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly schema: ZodType;
}

/** What a route takes. */
export interface RequestBody {
  readonly description: string;
  readonly required: boolean;
  readonly content: readonly Content[];
}

/** The same value in each of several media types. */
export interface Content {
  readonly mediaTypes: readonly string[];
  /** The schema; absent for bytes that only their own format describes. */
  readonly schema?: ZodType;
  readonly example?: unknown;
}

/** What a route answers with one status. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly content: readonly Content[];
  /** The headers in addition to `X-Request-Id`, which every answer has. */
  readonly headers?: readonly AnswerHeader[];
}

const json = 'application/json';

/** Puts JSON first, because people can write and read it in a page. */
export function jsonFirst(mediaTypes: readonly string[]): string[] {
  return [...mediaTypes.filter((type) => type === json), ...mediaTypes.filter((type) => type !== json)];
}

/** The media types of answers without tensors. They all have the same schema. */
export const valueTypes: readonly string[] = jsonFirst(valueCodecs.map(({ mediaType }) => mediaType));

/** An answer without tensors, in any encoding that the client asks for. */
export function valueAnswer(description: string, schema: ZodType): DocumentedAnswer {
  return { description, content: [{ mediaTypes: valueTypes, schema }] };
}
