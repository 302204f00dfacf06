/**
 * Keys, what each of them may do, and who may change a model where there are none.
 */
import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeys } from '../../src/http/access/api-keys.ts';
import { ConfiguredKeys } from '../../src/http/access/key-file.ts';
import { grantsOfLines } from '../../src/http/access/key-lines.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const everything = ['infer', 'admin', 'metrics', 'debug'];

function parse(lines: readonly string[]): ApiKeys {
  return ApiKeys.of(grantsOfLines(lines));
}

let repository: TestRepository;

beforeAll(async () => {
  repository = await TestRepository.create('versioned');
});

afterAll(() => repository.remove());

async function keyFile(text: string): Promise<string> {
  const file = repository.path('.keys');
  await writeFile(file, text);
  return file;
}

describe('a line', () => {
  it.each([
    ['secret', 'secret', everything],
    ['infer:secret', 'secret', ['infer']],
    ['infer+metrics:secret', 'secret', ['infer', 'metrics']],
    ['infer:with:colons', 'with:colons', ['infer']],
    // What stands before the colon is no list of scopes: it belongs to the key.
    ['user:secret', 'user:secret', everything],
    ['infer+admin+metrics:infre:secret', 'infre:secret', everything],
    [':secret', ':secret', everything],
    ['infer:#secret', '#secret', ['infer']],
    ['  secret\r', 'secret', everything],
    ['\ufeffsecret', 'secret', everything],
  ])('%j gives the key %j the scopes %j', (line, key, scopes) => {
    const keys = parse([line]);
    expect([...(keys.find(key)?.scopes ?? [])]).toEqual(scopes);
    for (const other of ['', line === key ? 'other' : line, `${key} `, key.slice(1), key.toUpperCase()]) {
      expect(keys.find(other), other).toBeUndefined();
    }
  });

  it.each(['infre:secret', 'admn+infer:secret', 'infer+debg:secret', 'Infer:secret', 'infer+:secret'])(
    '%j names a scope that there is none of, and gives no key for everything',
    (line) => {
      expect(() => parse([line])).toThrow(
        /^expected the scopes infer, admin, metrics, debug before the colon/,
      );
      expect(() => parse([line])).not.toThrow(/secret/);
    },
  );

  it('of a key that has one already adds its scopes', () => {
    const keys = parse(['infer:secret', 'metrics:secret', 'admin:other']);
    expect([...(keys.find('secret')?.scopes ?? [])]).toEqual(['infer', 'metrics']);
  });

  it.each(['', '   ', '# secret', '#infer:secret'])('%j says nothing', (line) => {
    expect(parse([line]).configured).toBe(false);
  });

  it.each(['infer:', 'infer: secret', 'two words', 'schlüssel'])(
    '%j could never be sent as a header, and is refused without being told',
    (line) => {
      expect(() => parse([line])).toThrow(/^an API key (is empty|holds a space)/);
      expect(() => parse([line])).not.toThrow(/secret|words|schl/);
    },
  );
});

it('keys come from the file and the environment together', async () => {
  const file = await keyFile('# of the team\n\ninfer:a\nadmin:b\n');
  const logger = createLogger({ level: 'silent', format: 'text' });
  const configured = new ConfiguredKeys({ file, list: 'metrics:c,d' }, logger);
  const scopes = ['a', 'b', 'c', 'd'].map((key) => [...(configured.keys.find(key)?.scopes ?? [])]);
  configured.close();
  expect(scopes).toEqual([['infer'], ['admin', 'debug'], ['metrics'], everything]);
});

it.each([
  [
    'a file without a key',
    '# none yet\n',
    '',
    /^--api-key-file .*\.keys holds no key: every route would be open$/,
  ],
  ['an environment without a key', undefined, ' , ', /^TFJS_SERVING_API_KEYS holds no key/],
  ['one of both without a key', '\n', 'secret', /^--api-key-file .* holds no key/],
])('%s is refused at the start, not taken for "no keys"', async (_, file, environment, message) => {
  const args = ['serve', '--port', '0', '--model-path', repository.root];
  if (file !== undefined) args.push('--api-key-file', await keyFile(file));
  const { code, output } = await runProgram(args, { TFJS_SERVING_API_KEYS: environment });
  expect(code).toBe(1);
  expect(output.trim().replace('tfjs-serving: ', '')).toMatch(message);
});

describe('a server with a key file', () => {
  let server: TestServer;

  beforeAll(async () => {
    const file = await keyFile('# team\r\ninfer:i\r\nadmin+metrics:am\r\n');
    server = await TestServer.start({ args: ['--model-path', repository.root, '--api-key-file', file] });
  });

  afterAll(async () => {
    await server.stop();
  });

  it.each([
    ['i', '/models', 200],
    ['i', '/metrics', 403],
    ['am', '/models', 403],
    ['am', '/metrics', 200],
    ['infer:i', '/models', 401],
    ['i, am', '/models', 401],
    ['', '/models', 401],
  ])('X-API-Key %j on %s gets %i', async (key, path, status) => {
    const response = await server.fetch(path, { headers: { 'x-api-key': key } });
    expect(response.status).toBe(status);
  });

  it.each([
    [{ 'api-key': 'i' }, 200],
    [{ authorization: 'Bearer i' }, 200],
    [{ authorization: 'bearer  i' }, 200],
    [{ authorization: 'Basic i' }, 401],
    [{ authorization: 'i' }, 401],
    [{ cookie: 'x-api-key=i' }, 401],
    // The first of several headers counts, right or wrong.
    [{ 'x-api-key': 'wrong', authorization: 'Bearer i' }, 401],
  ] as const)('%j: %i', async (headers, status) => {
    expect((await server.fetch('/models?x-api-key=i', { headers })).status).toBe(status);
  });

  it('reads the file again: old keys end, new ones begin, and what is no key changes nothing', async () => {
    const statusOf = async (key: string) =>
      (await server.fetch('/models', { headers: { 'x-api-key': key } })).status;
    await keyFile('infer:j\n');
    server.child.kill('SIGHUP');
    await until(async () => (await statusOf('j')) === 200, 'the new key to be known');
    expect(await statusOf('i')).toBe(401);
    await keyFile('# nobody\n');
    server.child.kill('SIGHUP');
    await until(() => server.log.includes('the API keys that were in use stay'), 'the refusal');
    expect(await statusOf('j')).toBe(200);
    // Without a signal, by the clock.
    await keyFile('infer:i\nadmin+metrics:am\n');
    await until(async () => (await statusOf('i')) === 200, 'the first key to be known again');
    expect(server.log).not.toMatch(/infer:|:am|"j"/);
  });

  it('refuses a foreign origin even with the right key', async () => {
    const headers = { 'x-api-key': 'am', origin: 'http://evil.example' };
    expect((await server.fetch('/update_model', { method: 'POST', headers })).status).toBe(403);
  });
});

describe('a server without keys, reachable from elsewhere', () => {
  let server: TestServer;
  const elsewhere = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

  beforeAll(async () => {
    server = await TestServer.start({ args: ['--model-path', repository.root, '--host', '0.0.0.0'] });
  });

  afterAll(async () => {
    await server.stop();
  });

  function update(host: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://${host}:${new URL(server.url).port}/update_model`, { method: 'POST', headers });
  }

  it('lets loopback change a model', async () => {
    expect((await update('127.0.0.1')).status).toBe(200);
  });

  // Needs a second address of this machine; a container may have only loopback.
  it.runIf(elsewhere)('lets nobody else, whatever a proxy is said to have seen', async () => {
    for (const headers of [
      {},
      { 'x-forwarded-for': '127.0.0.1' },
      { forwarded: 'for=127.0.0.1' },
      { 'x-real-ip': '127.0.0.1' },
      { host: 'localhost' },
    ]) {
      const response = await update(elsewhere ?? '', headers);
      expect(response.status, JSON.stringify(headers)).toBe(403);
      expect(await response.text()).toContain('configure keys with --api-key-file');
    }
  });
});
