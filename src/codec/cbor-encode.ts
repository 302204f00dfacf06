/**
 * CBOR answers. Tensors are written by {@link CborWriter}; large ones stay where they are and become parts of their own.
 * Everything without tensors is left to cbor-x.
 */
// Without cbor-x's native part, which the import of a library should not load, and without its programs made at run time.
import { Encoder } from 'cbor-x/index-no-eval';
import { viewTensor } from '../runtime/tensors.js';
import { type AnswerSlot, CborAnswerTemplates } from './cbor-answer-templates.js';
import { major } from './cbor-reader.js';
import { CborWriter } from './cbor-writer.js';
import { type EncodedBody, encodedBody, type InferAnswer } from './infer-answer.js';

const plainEncoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });

/** Any JSON-like value. */
export function encodeCbor(value: unknown): EncodedBody {
  return encodedBody([plainEncoder.encode(value)]);
}

const sharedTemplates = new CborAnswerTemplates();

/** `{"status": "ok", "model", "version", "generation", "outputs": {name: tensor}}` */
export function encodeCborAnswer(answer: InferAnswer, templates = sharedTemplates): EncodedBody {
  const filled = templates.fill(answer);
  return filled ? encodedBody([filled]) : write(answer, templates);
}

function write(answer: InferAnswer, templates: CborAnswerTemplates): EncodedBody {
  const { model, version, generation, outputs } = answer;
  const writer = new CborWriter(Buffer.allocUnsafe);
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
  writer.head(major.map, outputs.size);
  const slots: AnswerSlot[] = [];
  for (const [name, tensor] of outputs) {
    writer.text(name);
    const { dtype, shape, data } = viewTensor(tensor);
    writer.tensor(dtype, shape, data);
    // The values are what is written last.
    if (dtype !== 'string') slots.push({ name, dtype, shape, start: writer.length - data.length });
  }
  const body = encodedBody(writer.finish());
  if (slots.length === outputs.size) templates.keep(answer, body, slots);
  return body;
}
