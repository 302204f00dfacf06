/**
 * Compressed request bodies: what they unpack to, and how much.
 */
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, map } from '../fixtures/cbor.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';

const maxBody = 2 ** 20;
let repository: TestRepository;
let server: TestServer;
beforeAll(async () => {
  repository = await TestRepository.create('identity');
  server = await TestServer.start({
    args: [
      ...['--model-path', repository.root, '--settle', '0.1'],
      ...['--max-body-bytes', `${maxBody}`, '--max-inflight-bytes', `${4 * maxBody}`],
    ],
  });
});
afterAll(async () => {
  await server?.stop();
  await repository?.remove();
});

async function ask(body: Uint8Array, encoding: string, type = 'application/json') {
  const response = await server.fetch('/models/identity/infer?signature=uint8', {
    method: 'POST',
    headers: { 'content-type': type, 'content-encoding': encoding, accept: 'application/json' },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers have every shape
  const { outputs, error } = (await response.json()) as any;
  return { status: response.status, outputs, error };
}

const text = Buffer.from(JSON.stringify({ x: [1, 2, 255] }));

describe('a body', () => {
  it.each([
    ['gzip', zlib.gzipSync(text)],
    ['GZip', zlib.gzipSync(text)],
    ['x-gzip', zlib.gzipSync(text)],
    ['gzip', Buffer.concat([zlib.gzipSync(text.subarray(0, 5)), zlib.gzipSync(text.subarray(5))])],
    ['deflate', zlib.deflateSync(text)],
    ['identity', text],
  ])('in %s is read', async (encoding, body) => {
    const { status, outputs } = await ask(body, encoding);
    expect([status, outputs?.y]).toEqual([200, [1, 2, 255]]);
  });

  it('in zstd is read where Node can, and else refused with the reason', async () => {
    const compress: unknown = Reflect.get(zlib, 'zstdCompressSync');
    const body = typeof compress === 'function' ? compress(text) : text;
    const { status, error } = await ask(body, 'zstd');
    if (typeof compress === 'function') expect(status).toBe(200);
    else expect([status, error.message]).toEqual([415, expect.stringContaining('zstd needs Node 22.15')]);
  });

  it('of CBOR is read too, larger than its first memory', async () => {
    const data = Uint8Array.from({ length: 900_000 }, (_, i) => i % 251);
    const body = map({ x: array([900_000], 64, data) });
    const { status, outputs } = await ask(zlib.gzipSync(body), 'gzip', 'application/cbor');
    expect([status, outputs.y.length, outputs.y[899_999]]).toEqual([200, 900_000, 899_999 % 251]);
  });

  it.each([
    ['that is damaged', Buffer.from('no gzip at all'), 400, /cannot be unpacked .*incorrect header/],
    ['that is cut short', zlib.gzipSync(text).subarray(0, 20), 400, /cannot be unpacked .*unexpected end/],
    [
      'that unpacks to too much',
      zlib.gzipSync(Buffer.alloc(100 * maxBody)),
      413,
      /unpacks to is larger than/,
    ],
  ])('%s is refused', async (_, body, wanted, message) => {
    const { status, error } = await ask(body, 'gzip');
    expect([status, error.message]).toEqual([wanted, expect.stringMatching(message)]);
  });

  it('leaves nothing behind', () => server.nothingIsLeft());
});
