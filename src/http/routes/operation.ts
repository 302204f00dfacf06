/**
 * What a route takes and gives, as its row of the route table says it. The schemas are zod's: those of requests are the
 * very ones that check them, and those of answers give their types.
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
  /** Those in the path must all be here. */
  readonly parameters?: readonly Parameter[];
  readonly body?: RequestBody;
  /** What it answers when it succeeds, by HTTP status. */
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
  /** What it refuses or fails with, beyond what authentication and faults of the server give. */
  readonly errors?: readonly ErrorCode[];
  /** What errors have in the surface's form; left out where it is that of our own protocol. */
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

/** The same value in each of some media types. */
export interface Content {
  readonly mediaTypes: readonly string[];
  /** None for bytes that only their own format describes. */
  readonly schema?: ZodType;
  readonly example?: unknown;
}

/** What a route answers with one status. */
export interface DocumentedAnswer {
  readonly description: string;
  readonly content: readonly Content[];
  /** Beyond `X-Request-Id`, which every answer has. */
  readonly headers?: readonly AnswerHeader[];
}

const json = 'application/json';

/** JSON first: it is what people can write and read in a page. */
export function jsonFirst(mediaTypes: readonly string[]): string[] {
  return [...mediaTypes.filter((type) => type === json), ...mediaTypes.filter((type) => type !== json)];
}

/** The media types of answers without tensors, which all have the same schema. */
export const valueTypes: readonly string[] = jsonFirst(valueCodecs.map(({ mediaType }) => mediaType));

/** An answer without tensors, in whichever encoding the client asks for. */
export function valueAnswer(description: string, schema: ZodType): DocumentedAnswer {
  return { description, content: [{ mediaTypes: valueTypes, schema }] };
}
