/** clients/vectors.json is what its script writes, and the server's codec agrees with it. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { formatVectors } from '../../scripts/make-vectors.js';
import { encodeCborAnswer } from '../../src/codec/cbor/encode.ts';
import { CborReader } from '../../src/tensors/cbor-reader.ts';
import { plainValue } from '../../src/tensors/cbor-values.ts';
import { dtypes } from '../../src/tensors/dtypes.ts';
import { createTensor, type TensorData } from '../../src/tfjs/tensors.ts';
import { wholeBody } from '../fixtures/answer-body.ts';
import { decodeX } from '../fixtures/codec.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';
import { fromHex, type Note, type Vector } from './checks.ts';

const file = readFileSync(new URL('../../clients/vectors.json', import.meta.url), 'utf8');
const { vectors } = JSON.parse(file) as { vectors: Vector[] };

beforeAll(() => {
  openTestRuntime();
});

it('the file is what the script writes', () => {
  expect(formatVectors() === file, 'node scripts/make-vectors.js writes another').toBe(true);
});

it('has every dtype', () => {
  const there = vectors.flatMap(({ value }) => ('tensor' in value ? [value.tensor.dtype] : []));
  expect(new Set(there)).toEqual(new Set(Object.keys(dtypes)));
});

type TensorNote = Extract<Note, { tensor: object }>;
const tensors = vectors.filter(
  (vector): vector is Vector & { value: TensorNote } => 'tensor' in vector.value,
);

describe('the server', () => {
  it.each(tensors)('answers with and reads $name', ({ value, cbor }) => {
    const { dtype, shape, bytes = '', strings } = value.tensor;
    const data = strings ? strings.map(fromHex) : fromHex(bytes);
    const tensor = createTensor(dtype, shape, data);
    const { parts } = wholeBody(
      encodeCborAnswer({
        model: 'm',
        version: 1,
        generation: 1,
        outputs: new Map([['y', tensor]]),
      }),
    );
    tensor.dispose();
    // What follows the name of the output, text y.
    const answer = Buffer.concat(parts).toString('hex');
    const start = answer.indexOf('676f757470757473a16179') + '676f757470757473a16179'.length;
    expect(answer.slice(start)).toBe(cbor);

    const read = decodeX(fromHex(`a16178${cbor}`), dtype);
    expect({ dtype: read.dtype, shape: read.shape, data: plainBytes(read.data) }).toEqual({
      dtype,
      shape,
      data: plainBytes(data),
    });
  });

  const numbers = vectors.filter(({ value }) => 'int' in value || 'float' in value);
  it.each(numbers)('reads $name', ({ value, cbor }) => {
    const read = plainValue(new CborReader(fromHex(cbor)));
    if ('int' in value) expect(BigInt(read as number)).toBe(BigInt(value.int));
    if ('float' in value) expect(read).toBe(Number(value.float));
  });
});

/** A view on the body and an array of its own are the same to a test. */
function plainBytes(data: TensorData): number[] | number[][] {
  return data instanceof Uint8Array ? [...data] : Array.from(data, (each) => [...each]);
}
