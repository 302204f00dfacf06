/** An answer from a template has the same bytes as an answer that is written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CborAnswerTemplates } from '../../src/codec/cbor/answer-templates.ts';
import { encodeCborAnswer } from '../../src/codec/cbor/encode.ts';
import type { InferAnswer } from '../../src/codec/infer-answer.ts';
import { type Dtype, dtypes } from '../../src/tensors/dtypes.ts';
import { createTensor, disposeTensors } from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

openTestRuntime();

interface Output {
  readonly name: string;
  readonly dtype: Exclude<Dtype, 'string'>;
  readonly shape: readonly number[];
}

const y: Output = { name: 'y', dtype: 'float32', shape: [7] };

/** An answer whose values count up from a seed. */
function answer(outputs: readonly Output[], seed = 0, of: Partial<InferAnswer> = {}): InferAnswer {
  const tensors = outputs.map(({ name, dtype, shape }) => {
    const bytes = shape.reduce((product, dim) => product * dim, dtypes[dtype].size);
    const data = Uint8Array.from({ length: bytes }, (_, i) => seed + i);
    return [name, createTensor(dtype, shape, data)] as const;
  });
  return { model: 'm', version: 1, generation: 1, ...of, outputs: new Map(tensors) };
}

function bytesOf(given: InferAnswer, templates = new CborAnswerTemplates()): string {
  const { parts, byteLength } = wholeBody(encodeCborAnswer(given, templates));
  const body = Buffer.concat(parts);
  expect(body).toHaveLength(byteLength);
  return body.toString('hex');
}

/** Whether the second answer is a copy of the first with other values; its bytes are right in either case. */
function isFilled(first: InferAnswer, second: InferAnswer): boolean {
  const templates = new CborAnswerTemplates();
  bytesOf(first, templates);
  const filled = templates.fill(second) !== undefined;
  expect(bytesOf(second, templates)).toBe(bytesOf(second));
  disposeTensors(first.outputs);
  disposeTensors(second.outputs);
  return filled;
}

it('other values of the same outputs are filled in', () => {
  expect(isFilled(answer([y]), answer([y], 9))).toBe(true);
  const several: Output[] = [
    y,
    { name: 'b', dtype: 'bool', shape: [] },
    { name: 'h', dtype: 'float16', shape: [2, 3] },
  ];
  expect(isFilled(answer(several), answer(several, 9))).toBe(true);
  // Longer than what a writer begins with.
  const long: Output[] = [{ name: 'y', dtype: 'uint8', shape: [3, 1000] }, y];
  expect(isFilled(answer(long), answer(long, 9))).toBe(true);
});

describe('an answer is written anew if it has', () => {
  it.each<[what: string, other: InferAnswer]>([
    ['another version', answer([y], 9, { version: 2 })],
    ['another generation', answer([y], 9, { generation: 2 })],
    ['another model', answer([y], 9, { model: 'n' })],
    ['another name', answer([{ ...y, name: 'z' }], 9)],
    ['another dtype of the same size', answer([{ ...y, dtype: 'int32' }], 9)],
    ['another shape of the same size', answer([{ ...y, shape: [7, 1] }], 9)],
    ['more outputs', answer([y, { ...y, name: 'z' }], 9)],
    ['no outputs', answer([], 9)],
  ])('%s', (_, other) => {
    expect(isFilled(answer([y]), other)).toBe(false);
  });

  it('more bytes than are copied together', () => {
    const large: Output[] = [{ name: 'y', dtype: 'uint8', shape: [5000] }];
    expect(isFilled(answer(large), answer(large, 9))).toBe(false);
  });
});

it("what was filled in is nobody else's memory", () => {
  const templates = new CborAnswerTemplates();
  const given = answer([y]);
  const before = bytesOf(given, templates);
  templates.fill(given)?.fill(255);
  expect(bytesOf(given, templates)).toBe(before);
  disposeTensors(given.outputs);
});

it('the oldest go: of models, and of the kinds of one model', () => {
  const templates = new CborAnswerTemplates();
  const filledAfterOthers = (others: readonly InferAnswer[]): boolean => {
    const given = answer([y]);
    bytesOf(given, templates);
    for (const other of others) {
      expect(bytesOf(other, templates)).toBe(bytesOf(other));
      disposeTensors(other.outputs);
    }
    const filled = templates.fill(given) !== undefined;
    expect(bytesOf(given, templates)).toBe(bytesOf(given));
    disposeTensors(given.outputs);
    return filled;
  };
  const kinds = (count: number) => Array.from({ length: count }, (_, i) => answer([{ ...y, shape: [i] }]));
  const models = (count: number) =>
    Array.from({ length: count }, (_, i) => answer([y], i, { model: `m${i}` }));
  expect(filledAfterOthers(kinds(5))).toBe(true);
  expect(filledAfterOthers(kinds(50))).toBe(false);
  expect(filledAfterOthers(models(50))).toBe(true);
  expect(filledAfterOthers(models(2000))).toBe(false);
});

it('any answers one after another', () => {
  const output = fc.record({
    name: fc.constantFrom('a', 'b', 'long name '.repeat(9)),
    dtype: fc.constantFrom<Output['dtype']>('float32', 'int32', 'bool', 'complex64', 'uint8'),
    shape: fc.array(fc.constantFrom(0, 1, 2, 30), { maxLength: 3 }),
  });
  const kind = fc.record({
    outputs: fc.uniqueArray(output, { maxLength: 3, selector: ({ name }) => name }),
    of: fc.record({
      model: fc.constantFrom('m', 'n'),
      version: fc.constantFrom(1, 2),
      generation: fc.constantFrom(1, 300),
    }),
  });
  fc.assert(
    fc.property(fc.array(kind, { minLength: 1 }), fc.array(fc.nat()), (kinds, order) => {
      const templates = new CborAnswerTemplates();
      for (const [seed, which] of order.entries()) {
        const { outputs, of } = kinds[which % kinds.length] as (typeof kinds)[number];
        const given = answer(outputs, seed, of);
        expect(bytesOf(given, templates)).toBe(bytesOf(given));
        disposeTensors(given.outputs);
      }
    }),
  );
});
