/** An answer before it is sent, and the rules for its head and its body. `exit.ts` sends it. */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { AnswerBody, BodyInPieces, EncodedBody } from '../../codec/infer-answer.js';
import { piecesInTurns } from '../../flow/turns.js';
import type { Exchange } from '../request/exchange.js';

/** An answer before it is sent. */
export interface Answer {
  readonly status: number;
  /** The content type, with its parameters. */
  readonly mediaType: string;
  readonly body: AnswerBody;
  /** Names and values in turn, besides the headers that every answer has. */
  readonly headers: readonly string[];
}

/** An answer in place of a result. It is short and whole. */
export interface ErrorAnswer extends Answer {
  readonly body: EncodedBody;
}

/** The parts of an answer that decide its headers. */
interface Headed {
  readonly mediaType: string;
  readonly headers?: readonly string[] | undefined;
  /** The length of a stream is not known. */
  readonly body?: { readonly byteLength: number | undefined };
}

const none: readonly string[] = [];

/** All headers of an answer, names and values in turn. */
export function headersOf({ requestId }: Exchange, { mediaType, headers = none, body }: Headed): string[] {
  const all = ['x-request-id', requestId, ...headers, 'Content-Type', mediaType];
  if (body?.byteLength !== undefined) all.push('Content-Length', String(body.byteLength));
  return all;
}

/** True if the body needs the outputs until it has left. A single part is a copy; several may be views. */
export function needsOutputs(body: AnswerBody): boolean {
  return 'pieces' in body || body.parts.length > 1;
}

/** The bytes of pieces that are made before the client takes them. */
const piecesAhead = 2 ** 18;

/**
 * The pieces of a body as a stream. They are made in turns, as fast as the client takes them, and no more once it has
 * left.
 */
export function streamOf({ pieces }: BodyInPieces, res: ServerResponse): Readable {
  const isWanted = () => !res.closed && res.socket?.destroyed === false;
  return Readable.from(buffersOf(piecesInTurns(pieces, isWanted)), {
    objectMode: false,
    highWaterMark: piecesAhead,
  });
}

async function* buffersOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  for await (const piece of pieces) yield toBuffer(piece);
}

/** The same bytes as Node's type. */
export function toBuffer(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}
