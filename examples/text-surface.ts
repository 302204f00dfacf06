/**
 * A protocol of an application's own: `POST /text/:model` takes rows of numbers as text, one row a line, and answers lines of numbers.
 * Errors are `error CODE: message`.
 */
import {
  type AnswerCodec,
  type BodyDecoder,
  httpStatusOf,
  type InferAnswer,
  type InferenceProtocol,
  type NamedTensors,
  ServingError,
  type StreamCodec,
  type Surface,
} from 'tfjs-serving';

const mediaType = 'text/plain; charset=utf-8';

/** Bytes of memory that a number takes once it is read, two of text at least. */
const bytesOfNumber = 8;

const decoder: BodyDecoder = {
  mediaType: 'text/plain',
  decode(_head, { bytes, claim }) {
    claim((bytes.length / 2) * bytesOfNumber);
    const lines = Buffer.from(bytes).toString('latin1').split(/\r?\n/);
    const rows = lines.flatMap((line, i) => (line.trim() === '' ? [] : [numbersOf(line, i + 1)]));
    if (rows.length === 0)
      throw new ServingError('INVALID_ARGUMENT', 'expected lines of numbers, got an empty body');
    return { inputs: new Map(), onlyInput: { kind: 'plain', value: rows } };
  },
};

function numbersOf(line: string, lineNumber: number): number[] {
  return line
    .trim()
    .split(/\s*,\s*|\s+/)
    .map((word) => {
      const number = Number(word);
      if (word === '' || Number.isNaN(number))
        throw new ServingError(
          'INVALID_ARGUMENT',
          `line ${lineNumber}: expected numbers, got \`${word.slice(0, 20)}\``,
        );
      return number;
    });
}

/** Of one answer, and of those that come one after another. */
const answers: AnswerCodec & StreamCodec = {
  mediaType,
  encodeAnswer: ({ outputs }: InferAnswer) => bodyOf(linesOf(outputs)),
  encodeError: (error) => bodyOf(lineOf(error)),
};

function linesOf(outputs: NamedTensors): string {
  const [tensor, ...more] = outputs.values();
  if (!tensor || more.length > 0)
    throw new ServingError(
      'INVALID_ARGUMENT',
      `expected a model with one output, got ${outputs.size} outputs`,
    );
  const values = Array.from<unknown>(tensor.dataSync());
  const width = tensor.shape.slice(1).reduce((product, dim) => product * dim, 1);
  const rows = Array.from({ length: tensor.shape[0] ?? 1 }, (_, i) =>
    values.slice(i * width, (i + 1) * width),
  );
  return rows.map((row) => `${row.join(' ')}\n`).join('');
}

function bodyOf(text: string) {
  const bytes = Buffer.from(text);
  return { parts: [bytes], byteLength: bytes.length };
}

const protocol: InferenceProtocol = {
  decoders: [decoder],
  answerCodec: () => answers,
  streamCodec: () => answers,
};

function lineOf({ code, message }: ServingError): string {
  return `error ${code}: ${message}\n`;
}

export const textSurface: Surface = {
  name: 'text',
  owns: (path) => /^\/text(\/|$)/i.test(path),
  routes: () => [{ path: '/text/:model', protocol }],
  errorAnswer: (_head, error) => ({
    status: httpStatusOf[error.code],
    mediaType,
    body: bodyOf(lineOf(error)),
    headers: error.retryAfter === undefined ? [] : ['retry-after', String(error.retryAfter)],
  }),
};
