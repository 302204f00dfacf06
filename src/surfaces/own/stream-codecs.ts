/** Frames several answers: as server-sent events, or as a CBOR sequence (RFC 8742). */
import { cborAnswers, jsonAnswers } from '../../codec/codecs.js';
import { type AnswerBody, encodedBody } from '../../codec/infer-answer.js';
import { errorValue } from '../../http/answer/error-value.js';
import type { StreamCodec } from '../../http/inference-protocol.js';
import type { Head } from '../../http/request/head.js';

const eventStart = Buffer.from('event: message\ndata: ');
const errorStart = Buffer.from('event: error\ndata: ');
const eventEnd = Buffer.from('\n');

const events: StreamCodec = {
  mediaType: 'text/event-stream',
  encodeAnswer: (answer) => event(jsonAnswers.encodeAnswer(answer)),
  encodeError: (error) =>
    encodedBody([errorStart, ...jsonAnswers.encodeValue(errorValue(error)).parts, eventEnd]),
};

const cborSequence: StreamCodec = {
  mediaType: 'application/cbor-seq',
  encodeAnswer: (answer) => cborAnswers.encodeAnswer(answer),
  encodeError: (error) => cborAnswers.encodeValue(errorValue(error)),
};

const streamCodecs: readonly StreamCodec[] = [events, cborSequence];

/** The framing that the client accepts; events if it accepts neither. */
export function streamCodec(head: Head): StreamCodec {
  const accepted = head.accepts(streamCodecs.map(({ mediaType }) => mediaType));
  return streamCodecs.find(({ mediaType }) => mediaType === accepted) ?? events;
}

/** One event. The JSON is one line. */
function event(body: AnswerBody): AnswerBody {
  if ('parts' in body) return encodedBody([eventStart, ...body.parts, eventEnd]);
  return { pieces: within(body.pieces), byteLength: undefined };
}

function* within(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  yield eventStart;
  yield* pieces;
  yield eventEnd;
}
