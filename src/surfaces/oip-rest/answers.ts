/** Inference answers of the protocol: a JSON object, followed by the outputs that are wanted in binary. */
import { isUtf8 } from 'node:buffer';
import type { AnswerCodec } from '../../codec/codecs.js';
import {
  type AnswerBody,
  callerOutputsOf,
  type EncodedAnswer,
  encodedBody,
  type InferAnswer,
  type Output,
} from '../../codec/infer-answer.js';
import { type AnswerSize, bodyOfTexts, flatTexts, largestJsonAnswer } from '../../codec/json/encode.js';
import { quoted, ServingError } from '../../errors.js';
import { elementCount } from '../../tensors/dtypes.js';
import { bounds } from '../../tensors/limits.js';
import { measureStrings, type Strings } from '../../tensors/strings.js';
import { type TensorView, viewTensor } from '../../tfjs/tensors.js';
import { checkTravels, datatypes } from './datatypes.js';
import { framedLength, framedPieces } from './framed-strings.js';
import { keepAnswer, knownAnswer } from './known-answers.js';
import type { Wanted } from './request.js';

export class OipAnswers implements AnswerCodec {
  readonly mediaType: string;

  /** @param isStrict writes NaN and the infinities as texts in JSON, not as bare words */
  constructor(
    private readonly wanted: Wanted,
    private readonly isStrict = false,
  ) {
    this.mediaType = isStrict ? 'application/json; strict=true' : 'application/json';
  }

  /**
   * @throws ServingError UNIMPLEMENTED for complex, sparse and ragged outputs, NOT_ACCEPTABLE for outputs that JSON
   * cannot hold: bytes that are not UTF-8, and too many values
   */
  encodeAnswer(answer: InferAnswer): EncodedAnswer {
    return knownAnswer(answer, this.wanted) ?? this.encodeNew(answer);
  }

  private encodeNew(answer: InferAnswer): EncodedAnswer {
    const outputs = outputsOf(answer, this.wanted);
    const binary = outputs.filter(({ isBinary }) => isBinary);
    const size = sizeInJson(outputs);
    const texts = answerTexts(answer, this.wanted.id, outputs, this.isStrict);
    if (binary.length === 0) return bodyOfTexts(texts, size);
    // The length of the JSON must be known before it is sent.
    if (size.values > mostBesideBinary || size.stringBytes > mostBesideBinary) throw tooMuchBesideBinary();
    let json = '';
    for (const text of texts) json += text;
    const bytes = Buffer.from(json);
    const form = {
      mediaType: 'application/octet-stream',
      headers: ['Inference-Header-Content-Length', String(bytes.length)],
    };
    const body = withBinary(bytes, binary);
    if ('parts' in body) keepAnswer(answer, this.wanted, body, bytes.length, form);
    return { ...form, ...body };
  }
}

/** The most values and bytes of strings in the JSON of an answer that also has binary outputs. */
const mostBesideBinary = 2 ** 14;

interface OutputToSend {
  readonly name: string;
  readonly view: TensorView;
  readonly isBinary: boolean;
  /** The bytes of the output in binary. */
  readonly byteLength: number;
}

function outputsOf(answer: InferAnswer, { isBinary, isBinaryOutput }: Wanted): OutputToSend[] {
  const outputs: OutputToSend[] = [];
  for (const [name, output] of callerOutputsOf(answer)) {
    const view = viewOf(name, output);
    const { data } = view;
    const inBinary = isBinaryOutput.get(name) ?? isBinary;
    const byteLength = !inBinary ? 0 : data instanceof Uint8Array ? data.length : framedLength(data);
    outputs.push({ name, view, isBinary: inBinary, byteLength });
  }
  return outputs;
}

function viewOf(name: string, output: Output): TensorView {
  if (output instanceof Map)
    throw new ServingError(
      'UNIMPLEMENTED',
      `output ${quoted(name)} is sparse or ragged, which the Open Inference Protocol has no form for: ask for other outputs, or /models/{name}/infer`,
    );
  const view = viewTensor(output);
  checkTravels(`output ${quoted(name)}`, view.dtype);
  return view;
}

/** @throws ServingError NOT_ACCEPTABLE for outputs that JSON cannot hold */
function sizeInJson(outputs: readonly OutputToSend[]): AnswerSize {
  let [values, stringBytes] = [0, 0];
  for (const { name, view, isBinary } of outputs) {
    if (isBinary) continue;
    const { shape, data } = view;
    values += elementCount(shape);
    if (values > largestJsonAnswer.values) throw tooMuch(`${largestJsonAnswer.values} values`);
    if (data instanceof Uint8Array) continue;
    if (data.length > bounds.strings.most) throw tooMuch(`${bounds.strings.most} strings`);
    stringBytes += measureStrings(data).bytes;
    if (stringBytes > largestJsonAnswer.stringBytes)
      throw tooMuch(`strings of ${largestJsonAnswer.stringBytes} bytes`);
    checkTexts(name, data);
  }
  return { values, stringBytes };
}

function tooMuch(most: string): ServingError {
  return new ServingError(
    'NOT_ACCEPTABLE',
    `the outputs have more than ${most}, which is too much for JSON: ask for them in binary, by "parameters": {"binary_data_output": true}`,
  );
}

function tooMuchBesideBinary(): ServingError {
  return new ServingError(
    'NOT_ACCEPTABLE',
    `beside binary outputs those in JSON may have ${mostBesideBinary} values and bytes of strings at most: ask for all outputs in one form`,
  );
}

/** Checks all strings before the first is sent, because no error can follow it. */
function checkTexts(name: string, strings: Strings): void {
  for (let i = 0; i < strings.length; i++) {
    if (isUtf8(strings.at(i) as Uint8Array)) continue;
    throw new ServingError(
      'NOT_ACCEPTABLE',
      `element ${i} of output ${quoted(name)} is not UTF-8, and JSON holds texts alone: ask for it in binary, by {"name": ${JSON.stringify(name)}, "parameters": {"binary_data": true}}`,
    );
  }
}

/**
 * Writes `{"model_name", "model_version", "id"?, "outputs": [{"name", "datatype", "shape", "data" or "parameters"}]}`.
 */
function* answerTexts(
  { model, version }: InferAnswer,
  id: string | undefined,
  outputs: readonly OutputToSend[],
  isStrict: boolean,
): Generator<string, void, void> {
  const named = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  yield `{"model_name":${JSON.stringify(model)},"model_version":"${version}",${named}"outputs":[`;
  let separator = '';
  for (const { name, view, isBinary, byteLength } of outputs) {
    const { dtype, shape } = view;
    yield `${separator}{"name":${JSON.stringify(name)},"datatype":"${datatypes[dtype]}","shape":[${shape.join()}],`;
    separator = ',';
    if (isBinary) {
      yield `"parameters":{"binary_data_size":${byteLength}}}`;
      continue;
    }
    yield '"data":';
    yield* flatTexts(view, isStrict);
    yield '}';
  }
  yield ']}';
}

/** An answer of at most so many bytes is copied together. */
const smallAnswer = 4096;

/** An answer of at most so many strings is written at once. */
const fewStrings = 4096;

function withBinary(json: Uint8Array, outputs: readonly OutputToSend[]): AnswerBody {
  let byteLength = json.length;
  let strings = 0;
  for (const { view, byteLength: bytes } of outputs) {
    byteLength += bytes;
    if (!(view.data instanceof Uint8Array)) strings += view.data.length;
  }
  if (strings > fewStrings) return { pieces: binaryPieces(json, outputs), byteLength };
  const parts = [...binaryPieces(json, outputs)];
  const body = byteLength <= smallAnswer ? [Buffer.concat(parts, byteLength)] : parts;
  return encodedBody(body);
}

function* binaryPieces(
  json: Uint8Array,
  outputs: readonly OutputToSend[],
): Generator<Uint8Array, void, void> {
  yield json;
  for (const { view } of outputs) {
    const { data } = view;
    if (data instanceof Uint8Array) yield data;
    else yield* framedPieces(data);
  }
}
