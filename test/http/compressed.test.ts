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

/** Node has it from 22.15 on. */
const found: unknown = Reflect.get(zlib, 'zstdCompressSync');
const compressZstd = isCompressor(found) ? found : undefined;

function isCompressor(value: unknown): value is (data: Uint8Array) => Buffer {
  return typeof value === 'function';
}

/** RFC 8878, section 3.1.1: a frame of one block as it stands, that asks for a window of 2^`windowLog` bytes. */
function zstdFrame(windowLog: number, data: Uint8Array): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((data.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3), block, data]);
}

describe.runIf(compressZstd)('a body in zstd', () => {
  const packed = (data: Uint8Array) => compressZstd?.(data) ?? data;

  it.each([
    ['is read', () => packed(text)],
    ['of two frames is read', () => Buffer.concat([packed(text.subarray(0, 5)), packed(text.subarray(5))])],
    ['is read with the largest window for HTTP (RFC 9659)', () => zstdFrame(23, text)],
  ])('%s', async (_, make) => {
    const { status, outputs } = await ask(make(), 'zstd');
    expect([status, outputs?.y]).toEqual([200, [1, 2, 255]]);
  });

  it.each([
    ['is refused with a larger window', () => zstdFrame(24, text), 400],
    ['that is damaged is refused', () => Buffer.from('no zstd at all'), 400],
    ['that is cut short is refused', () => packed(text).subarray(0, 12), 400],
    ['that unpacks to too much is refused', () => packed(Buffer.alloc(100 * maxBody)), 413],
  ])('%s', async (_, make, wanted) => {
    const { status, error } = await ask(make(), 'zstd');
    expect([status, error?.message]).toEqual([wanted, expect.any(String)]);
  });
});

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

  it.skipIf(compressZstd)('in zstd is refused where Node has none, with the reason', async () => {
    const { status, error } = await ask(text, 'zstd');
    expect([status, error.message]).toEqual([
      415,
      `expected content-encoding gzip, deflate or none, got \`zstd\` (zstd needs Node 22.15 or newer, and this is ${process.version})`,
    ]);
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

  it('in an encoding that there is none of is refused with those there are', async () => {
    const { status, error } = await ask(text, 'br');
    expect([status, error.message]).toEqual([
      415,
      `expected content-encoding gzip, deflate${compressZstd ? ', zstd' : ''} or none, got \`br\``,
    ]);
  });

  it.each(['/update_model', '/debug/profile', '/v2/repository/index'])(
    'of %s is held to the same',
    async (path) => {
      const post = async (body: Uint8Array, encoding: string) => {
        const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
        const response = await server.fetch(path, { method: 'POST', headers, body });
        return [response.status, await response.text()];
      };
      const object = Buffer.from('{}');
      const packed = zlib.gzipSync(object);
      const damaged = [400, expect.stringContaining('cannot be unpacked')];
      expect(await post(object, 'gzip')).toEqual(damaged);
      expect(await post(object, 'deflate')).toEqual(damaged);
      expect(await post(packed.subarray(0, -4), 'gzip')).toEqual(damaged);
      const large = zlib.gzipSync(Buffer.alloc(100 * 1024, ' '));
      expect(await post(large, 'gzip')).toEqual([
        413,
        expect.stringMatching(/larger than 16384 bytes(?! \()/),
      ]);
      if (path !== '/debug/profile') expect(await post(packed, 'gzip')).toEqual([200, expect.anything()]);
    },
  );

  it('leaves nothing behind', () => server.nothingIsLeft());
});
