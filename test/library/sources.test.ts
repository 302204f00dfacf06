/** A source of an application: models from a zip file are served, batched and swapped like those of a folder. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createServer,
  type ModelListing,
  type Server,
  type ServerOptions,
  ServingError,
  type Source,
} from '#dist/index.js';
import { linearEngine } from '../../examples/linear-engine.ts';
import { ZipSource } from '../../examples/zip-source.ts';
import { encodeZip } from '../../src/codec/numpy/zip-encode.ts';
import { testModels } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

const key = 'a-key-of-this-test';
let folder: string;
let server: Server;

/** Paths in the zip file and what they hold. */
type Files = Record<string, string | Buffer>;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-zip-'));
  await mkdir(path.join(folder, 'cache'));
  await writeFile(path.join(folder, 'keys'), `infer+metrics:${key}\nadmin:${key}-admin\n`);
});

afterEach(async () => {
  await server.close();
  expect(await readdir(path.join(folder, 'cache'))).toEqual([]);
  await rm(folder, { recursive: true });
});

const zipPath = () => path.join(folder, 'models.zip');

/** Each version of `linear` multiplies by its number. */
function linear(...versions: readonly number[]): Files {
  return Object.fromEntries(
    versions.map((version) => [
      `linear/${version}/linear.json`,
      JSON.stringify({ weights: [[version]], bias: [0] }),
    ]),
  );
}

async function publish(files: Files, change = (zip: Buffer) => zip): Promise<void> {
  const entries = Object.entries(files).map(([name, content]) => {
    const bytes = Buffer.from(content);
    return { path: Buffer.from(name), content: { byteLength: bytes.length, pieces: () => [bytes] } };
  });
  const zip = Buffer.concat([...encodeZip(entries).pieces]);
  await writeFile(`${zipPath()}.new`, change(zip));
  await rename(`${zipPath()}.new`, zipPath());
}

async function savedModel(): Promise<Files> {
  const root = path.join(testModels, 'identity', '1');
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  const read = files.map(async ({ parentPath, name }): Promise<[string, Buffer]> => {
    const file = path.join(parentPath, name);
    return [`identity/1/${path.relative(root, file)}`, await readFile(file)];
  });
  return Object.fromEntries(await Promise.all(read));
}

async function serve(
  source: Source = new ZipSource(zipPath(), path.join(folder, 'cache')),
  options: ServerOptions = {},
): Promise<void> {
  server = createServer({
    ...{ port: 0, host: '127.0.0.1', logLevel: 'silent', rehearse: 'off', settle: 0.1, scanInterval: 0.1 },
    ...{ engines: [linearEngine], source, defaultModel: 'linear', apiKeyFile: path.join(folder, 'keys') },
    ...options,
  });
  await server.start();
}

async function ask(path: string, body?: unknown, apiKey = key) {
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
  const post = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.address}${path}`, body === undefined ? { headers } : post);
  return { status: response.status, text: await response.text() };
}

/** What the version that serves makes of 1. */
async function answer(): Promise<unknown> {
  return JSON.parse((await ask('/infer', { x: [[1]] })).text);
}

const servedBy = (version: number) => ({ version, outputs: { y: [[version]] } });

async function untilServedBy(version: number): Promise<void> {
  await until(
    async () => JSON.stringify(await answer()).includes(`"version":${version}`),
    `${version} to serve`,
  );
}

async function untilSaid(text: string, path = '/models/linear'): Promise<void> {
  await until(async () => (await ask(path)).text.includes(text), `${path} to say ${text}`);
}

it('serves what is in it, in shared runs, to those with a key, and counts that', async () => {
  await publish({ ...linear(1), ...(await savedModel()) });
  await serve();
  const answers = await Promise.all(
    Array.from({ length: 32 }, (_, i) => server.predict({ inputs: { x: [[i]] } })),
  );
  expect(answers.map(({ outputs }) => outputs['y']?.dataSync()[0])).toEqual([...Array(32).keys()]);
  for (const { dispose } of answers) dispose();
  const identity = await ask('/models/identity/infer', { x: [7] });
  expect(JSON.parse(identity.text)).toMatchObject({ outputs: { y: [7] } });
  expect((await ask('/infer', { x: [[1]] }, 'no-key')).status).toBe(401);
  const { text } = await ask('/metrics');
  const [, runs] = /^tfjs_serving_runs_total\{[^}]*model="linear"[^}]*\} (\d+)/m.exec(text) ?? [];
  expect(Number(runs)).toBeGreaterThan(0);
  expect(Number(runs)).toBeLessThan(32);
  expect(text).toContain('inference_requests_total{model="linear",version="1",status="ok"} 32');
});

it('takes a new version, and gives the files of the old one back', async () => {
  await publish(linear(1));
  await serve();
  expect(await answer()).toMatchObject(servedBy(1));
  await publish(linear(1, 2));
  await untilServedBy(2);
  const kept = async () => (await readdir(path.join(folder, 'cache'))).length === 1;
  await until(kept, 'the files of version 1 to go');
});

it('goes on with a version while a newer one is damaged, or does not even come', async () => {
  await publish(linear(1));
  await serve();
  await publish({ ...linear(1), 'linear/2/linear.json': '{"weights": 1}' });
  await untilSaid('`weights` and `bias`');
  const damage = (zip: Buffer) => {
    zip.writeUInt8(0x20, zip.indexOf('[[3]]'));
    return zip;
  };
  await publish(linear(1, 3), damage);
  await untilSaid('linear/3/linear.json is damaged in the zip file');
  expect(await answer()).toMatchObject(servedBy(1));
  await publish(linear(1, 4));
  await untilServedBy(4);
});

it('goes on while the zip file cannot be read, and takes what is in the next one', async () => {
  await publish(linear(1));
  await serve();
  await publish(linear(2), (zip) => zip.subarray(0, -10));
  await untilSaid('"source":"unreadable"', '/health');
  expect(await answer()).toMatchObject(servedBy(1));
  await publish(linear(3));
  await untilServedBy(3);
  expect((await ask('/health')).text).toContain('"source":"ok"');
});

it('is asked again for files that could not be fetched', async () => {
  await publish(linear(1));
  const zip = new ZipSource(zipPath(), path.join(folder, 'cache'));
  const failures = [new ServingError('UNAVAILABLE', 'the disk is out'), new Error('and now this')];
  await serve({
    name: zip.name,
    list: () => zip.list(),
    async materialise(version) {
      const failure = failures.shift();
      if (failure) throw failure;
      return zip.materialise(version);
    },
  });
  await untilSaid('its files cannot be fetched now: and now this');
  await untilServedBy(1);
});

it.each([
  ['runs', true, '"y":[[11.0]]'],
  ['does not run, and does not serve a version without,', undefined, '--allow-handlers'],
])('%s a handler that the source names', async (_, allowHandlers, answer) => {
  const handler = 'export const postprocess = ({ y }) => ({ y: y.add(10) });';
  await publish({ ...linear(1), 'linear/1/handler.js': handler });
  const zip = new ZipSource(zipPath(), path.join(folder, 'cache'));
  const withHandler = ({ name, versions }: ModelListing): ModelListing => ({
    name,
    versions: versions?.map((version) => ({ ...version, handler: 'handler.js' })),
  });
  const source: Source = {
    name: zip.name,
    async list() {
      const listing = await zip.list();
      return { ...listing, models: listing.models?.map(withHandler) };
    },
    materialise: (version) => zip.materialise(version),
  };
  await serve(source, { allowHandlers });
  expect((await ask('/infer', { x: [[1]] })).text + (await ask('/models/linear')).text).toContain(answer);
});

it('takes no path of a request where it knows none, and no folder beside it', async () => {
  await publish(linear(1));
  await serve();
  const refused = await ask('/update_model', { model_path: '/elsewhere' }, `${key}-admin`);
  expect(refused).toMatchObject({ status: 501, text: expect.stringContaining('models come from') });
  expect(await answer()).toMatchObject(servedBy(1));
  const source = new ZipSource(zipPath(), folder);
  expect(() => createServer({ source, modelPath: folder })).toThrow('no effect beside `source`');
});

it.each([
  ['fails', () => Promise.reject(new Error('on purpose'))],
  ['never ends', () => new Promise<void>(() => {})],
])('the server ends although what its source closes %s', async (_, close) => {
  const source = new ZipSource(zipPath(), path.join(folder, 'cache'));
  await publish(linear(1));
  await serve(Object.assign(source, { watch: async () => ({ close }) }));
  expect(await answer()).toMatchObject(servedBy(1));
  expect(await server.close()).toBe(true);
});
