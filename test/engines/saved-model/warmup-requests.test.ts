/** The tensors in `tf_serving_warmup_requests`. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { WarmupRequest } from '../../../src/engines/engine.ts';
import { readWarmupRequests } from '../../../src/engines/tensorflow/saved-model/warmup-requests.ts';
import { warmupRecordOf } from '../../fixtures/warmup-record.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-warmup-'));
  await mkdir(path.join(folder, 'assets.extra'));
});

afterEach(() => rm(folder, { recursive: true }));

async function read(inputs: Readonly<Record<string, object | undefined>>): Promise<WarmupRequest[]> {
  await writeFile(path.join(folder, 'assets.extra', 'tf_serving_warmup_requests'), warmupRecordOf(inputs));
  return (await readWarmupRequests(folder)) ?? [];
}

const vector = (size: number) => ({ dim: [{ size }] });

it('whole numbers of 64 bits are exact, the last value stands for the rest', async () => {
  const [request] = await read({
    int64: { dtype: 9, tensorShape: vector(3), int64Val: ['-9223372036854775808', '9007199254740993'] },
    uint64: { dtype: 23, tensorShape: vector(1), uint64Val: ['18446744073709551615'] },
    bool: { dtype: 10, tensorShape: vector(2), boolVal: [true] },
  });
  const bytes = (name: string) => Buffer.from(request?.inputs.get(name)?.data as Uint8Array);
  const of = (values: BigInt64Array | BigUint64Array) => Buffer.from(values.buffer);
  expect(bytes('int64')).toEqual(of(BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n, 2n ** 53n + 1n)));
  expect(bytes('uint64')).toEqual(of(BigUint64Array.of(2n ** 64n - 1n)));
  expect(bytes('bool')).toEqual(Buffer.of(1, 1));
});

it('an input without a value is refused with its name', async () => {
  await expect(read({ x: undefined })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'record 0 of tf_serving_warmup_requests, input `x` is of no dtype, which cannot be fed',
  });
});
