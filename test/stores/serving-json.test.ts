/**
 * `serving.json` is read at each scan: what has not changed is not parsed again, and what it may hold is bounded.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readModelConfig } from '../../src/stores/folder/config-file.ts';
import { noModelConfig } from '../../src/stores/serving-json.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-json-'));
});
afterEach(() => rm(folder, { recursive: true }));

const file = () => path.join(folder, 'serving.json');
const write = (config: unknown) => writeFile(file(), JSON.stringify(config));
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`label${i}`, 1]));

it('is parsed once while its contents stay the same', async () => {
  await write({ version_labels: labels(1000) });
  const first = await readModelConfig(folder);
  expect(first).toMatchObject({ config: { version_labels: { label999: 1 } } });
  await write({ version_labels: labels(1000) });
  expect(await readModelConfig(folder)).toBe(first);
  await write({ pin: 3 });
  expect(await readModelConfig(folder)).toMatchObject({ config: { pin: 3 } });
  await writeFile(file(), '{');
  const damaged = await readModelConfig(folder);
  expect(damaged).toMatchObject({ problem: expect.stringContaining('cannot be used') });
  expect(await readModelConfig(folder)).toBe(damaged);
  await rm(file());
  expect(await readModelConfig(folder)).toEqual({ config: noModelConfig });
});

it('has at most 1,000 labels, and 128 KiB', async () => {
  await write({ version_labels: labels(1001) });
  expect(await readModelConfig(folder)).toEqual({
    problem: expect.stringContaining('expected at most 1000 labels'),
  });
  await write({ version_labels: labels(60_000) });
  expect(await readModelConfig(folder)).toEqual({
    problem: expect.stringContaining('131072 are the most that is read'),
  });
});
