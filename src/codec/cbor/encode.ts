/**
 * Writes CBOR answers. {@link CborWriter} writes tensors; a large one is not copied and becomes a part of its own.
 * cbor-x writes everything without tensors.
 */
// This variant of cbor-x has no native part, which importing a library should not load, and it compiles no code at run
// time.
import { Encoder } from 'cbor-x/index-no-eval';
import { major } from '../../tensors/cbor-reader.js';
import { CborWriter } from '../../tensors/cbor-writer.js';
import { viewTensor } from '../../tfjs/tensors.js';
import {
  type AnswerBody,
  callerOutputsOf,
  type EncodedBody,
  encodedBody,
  type InferAnswer,
  type Output,
} from '../infer-answer.js';
import type { OutputSlot } from '../slots.js';
import { CborAnswerTemplates } from './answer-templates.js';

const plainEncoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });

/** Writes any JSON-like value. */
export function encodeCbor(value: unknown): EncodedBody {
  return encodedBody([plainEncoder.encode(value)]);
}

/** The templates are shared by the process, because the bytes of an answer depend only on the answer. */
const sharedTemplates = new CborAnswerTemplates();

/** Writes `{"status": "ok", "model", "version", "generation", "outputs": {name: tensor}}`. */
export function encodeCborAnswer(answer: InferAnswer, templates = sharedTemplates): AnswerBody {
  const filled = answer.composites ? undefined : templates.fill(answer);
  if (filled) return encodedBody([filled]);
  if (hasManyStrings(answer)) return { pieces: piecesOf(answer), byteLength: undefined };
  return answer.composites ? writeWithParts(answer) : write(answer, templates);
}

/**
 * An answer whose strings have more bytes together is written in pieces. Numbers are not counted: they are sent from
 * where they lie.
 */
const fewStrings = 4096;

function hasManyStrings({ outputs }: InferAnswer): boolean {
  let strings = 0;
  for (const tensor of outputs.values()) if (tensor.dtype === 'string') strings += tensor.size;
  return strings > fewStrings;
}

/** The number of strings in one piece of an answer with many. */
const stringsInPiece = 1024;

function* piecesOf(answer: InferAnswer): Generator<Uint8Array, void, void> {
  const writer = new CborWriter(Buffer.allocUnsafe);
  writeHead(writer, answer);
  yield* outputPieces(writer, callerOutputsOf(answer));
  yield* writer.take();
}

function* outputPieces(
  writer: CborWriter,
  outputs: ReadonlyMap<string, Output>,
): Generator<Uint8Array, void, void> {
  writer.head(major.map, outputs.size);
  for (const [name, output] of outputs) {
    writer.text(name);
    if (output instanceof Map) {
      yield* outputPieces(writer, output);
      continue;
    }
    const { dtype, shape, data } = viewTensor(output);
    if (data instanceof Uint8Array) {
      writer.tensor(dtype, shape, data);
      continue;
    }
    writer.stringsHead(shape, data.length);
    for (let i = 0; i < data.length; i++) {
      writer.bytes(data.at(i) as Uint8Array);
      if (i % stringsInPiece === stringsInPiece - 1) yield* writer.take();
    }
  }
}

function write(answer: InferAnswer, templates: CborAnswerTemplates): EncodedBody {
  const { outputs } = answer;
  const writer = new CborWriter(Buffer.allocUnsafe);
  writeHead(writer, answer);
  writer.head(major.map, outputs.size);
  const slots: OutputSlot[] = [];
  for (const [name, tensor] of outputs) {
    writer.text(name);
    const { dtype, shape, data } = viewTensor(tensor);
    writer.tensor(dtype, shape, data);
    // The values were written last.
    if (dtype !== 'string') slots.push({ name, dtype, shape, start: writer.length - data.length });
  }
  const body = encodedBody(writer.finish());
  if (slots.length === outputs.size) templates.keep(answer, body, slots);
  return body;
}

/** Writes an answer with sparse or ragged outputs. No two such answers are alike, so no template is kept. */
function writeWithParts(answer: InferAnswer): EncodedBody {
  const writer = new CborWriter(Buffer.allocUnsafe);
  writeHead(writer, answer);
  writeOutputs(writer, callerOutputsOf(answer));
  return encodedBody(writer.finish());
}

function writeOutputs(writer: CborWriter, outputs: ReadonlyMap<string, Output>): void {
  writer.head(major.map, outputs.size);
  for (const [name, output] of outputs) {
    writer.text(name);
    if (output instanceof Map) {
      writeOutputs(writer, output);
      continue;
    }
    const { dtype, shape, data } = viewTensor(output);
    writer.tensor(dtype, shape, data);
  }
}

/** Writes everything before the outputs. */
function writeHead(writer: CborWriter, { model, version, generation }: InferAnswer): void {
  writer.head(major.map, 5);
  writer.text('status');
  writer.text('ok');
  writer.text('model');
  writer.text(model);
  writer.text('version');
  writer.head(major.unsigned, version);
  writer.text('generation');
  writer.head(major.unsigned, generation);
  writer.text('outputs');
}
