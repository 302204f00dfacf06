/**
 * Writes JSON answers: nested lists, in which every number reads back as the same value.
 *
 * An integer is exact at any size. A float has the shortest form of its own dtype. NaN and the infinities are bare
 * words, as in TensorFlow Serving and Python's json; in strict JSON they are texts. Bytes that are not UTF-8 are
 * `{"b64": …}`. A complex number is [re, im].
 */
import { ServingError } from '../../errors.js';
import { elementCount } from '../../tensors/dtypes.js';
import { bytesOfStrings } from '../../tensors/strings.js';
import { type TensorView, viewTensor } from '../../tfjs/tensors.js';
import {
  type AnswerBody,
  callerOutputsOf,
  type EncodedBody,
  encodedBody,
  type InferAnswer,
  type Output,
} from '../infer-answer.js';
import { elementTexts, longTexts, strictTexts, type Texts } from './element-texts.js';
import { checkListCount, listTexts } from './lists.js';
import { utf8Pieces, written } from './text-pieces.js';

/** Writes any JSON value and a line end, as people see it in a terminal. */
export function encodeJson(value: unknown): EncodedBody {
  return encodedBody([Buffer.from(`${JSON.stringify(value)}\n`)]);
}

/** Writes `{"status": "ok", "model", "version", "generation", "outputs": {name: nested lists}}`. */
export function encodeJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, elementTexts);
}

/**
 * Writes the same for parsers that do not accept a bare `NaN`: it and the infinities are the texts "NaN", "Infinity"
 * and "-Infinity".
 */
export function encodeStrictJsonAnswer(answer: InferAnswer): AnswerBody {
  return encodeAnswer(answer, strictTexts);
}

/** Gives the writer for the elements of a tensor. */
type TextsOf = (view: TensorView) => Texts;

function encodeAnswer(answer: InferAnswer, textsOf: TextsOf): AnswerBody {
  const outputs = callerOutputsOf(answer);
  const size = sizeOf(outputs);
  checkSize(size);
  return bodyOfTexts(answerTexts(answer, outputs, textsOf), size);
}

/** Makes a body from texts. A small body is written at once, and a large one while it is sent. */
export function bodyOfTexts(texts: Iterable<string>, { values, stringBytes }: AnswerSize): AnswerBody {
  const isSmall = values <= smallAnswer && stringBytes <= smallAnswer;
  return isSmall ? written(texts) : { pieces: utf8Pieces(texts), byteLength: undefined };
}

/**
 * Writes the elements of a tensor as one row-major list, in texts of bounded length.
 *
 * @param isStrict writes NaN and the infinities as texts
 */
export function* flatTexts(view: TensorView, isStrict: boolean): Generator<string, void, void> {
  const textAt = isStrict ? strictTexts(view) : elementTexts(view);
  yield* listTexts([elementCount(view.shape)], textAt, longTexts(view));
}

/** An answer of at most so many values and bytes of strings is written at once. */
const smallAnswer = 8192;

/**
 * The most values and bytes of strings of one JSON answer. They take a few seconds of work, in pieces. A larger answer
 * needs CBOR.
 */
export const largestJsonAnswer = { values: 2 ** 24, stringBytes: 2 ** 26 } as const;

/** The number of values and bytes of strings of an answer. */
export type AnswerSize = Readonly<Record<keyof typeof largestJsonAnswer, number>>;

/** @throws ServingError NOT_ACCEPTABLE if the answer would have many lists with hardly any elements */
function sizeOf(outputs: ReadonlyMap<string, Output>): AnswerSize {
  let [values, stringBytes] = [0, 0];
  for (const [name, output] of outputs) {
    if (output instanceof Map) {
      const inner = sizeOf(output);
      values += inner.values;
      stringBytes += inner.stringBytes;
      continue;
    }
    const { shape, data } = viewTensor(output);
    checkListCount(`output \`${name}\``, shape);
    const count = elementCount(shape);
    values += count;
    // The answer is too large already.
    if (data instanceof Uint8Array || values > largestJsonAnswer.values) continue;
    stringBytes += bytesOfStrings(data);
  }
  return { values, stringBytes };
}

function checkSize({ values, stringBytes }: AnswerSize): void {
  const { values: mostValues, stringBytes: mostBytes } = largestJsonAnswer;
  if (values > mostValues) throw tooLarge(`at most ${mostValues} values`, String(values));
  if (stringBytes > mostBytes)
    throw tooLarge(`strings of at most ${mostBytes} bytes`, `${stringBytes} bytes`);
}

function tooLarge(expected: string, came: string): ServingError {
  return new ServingError(
    'NOT_ACCEPTABLE',
    `expected ${expected} in the outputs of a JSON answer, got ${came}: ask for accept: application/cbor or application/x-npz, or for fewer outputs`,
  );
}

function* answerTexts(
  { model, version, generation }: InferAnswer,
  outputs: ReadonlyMap<string, Output>,
  textsOf: TextsOf,
): Generator<string, void, void> {
  yield `{"status":"ok","model":${JSON.stringify(model)},"version":${version},"generation":${generation},"outputs":`;
  yield* outputTexts(outputs, textsOf);
  yield '}\n';
}

function* outputTexts(outputs: ReadonlyMap<string, Output>, textsOf: TextsOf): Generator<string, void, void> {
  yield '{';
  let separator = '';
  for (const [name, output] of outputs) {
    yield `${separator}${JSON.stringify(name)}:`;
    separator = ',';
    if (output instanceof Map) {
      yield* outputTexts(output, textsOf);
      continue;
    }
    const view = viewTensor(output);
    yield* listTexts(view.shape, textsOf(view), longTexts(view));
  }
  yield '}';
}
