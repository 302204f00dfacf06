/** Keys of a JSON list: their hashes, what limits them, and what is said of a list that is wrong. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grantsOfList } from '../../src/http/access/key-entries.ts';
import { RateLimit, RateMemory } from '../../src/http/access/rate-limit.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1, 2]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 0x01, 0x02);
const oipBody = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [2], data: [1, 2] }] });

const day = 24 * 3600 * 1000;

function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function inDays(days: number): string {
  return new Date(Date.now() + days * day).toISOString();
}

describe('a list that is wrong names the key and the field, and never the key itself', () => {
  it.each([
    [[{ key: 'secret' }], /^the key in place 1: expected a list at `scopes`$/],
    [
      [{ id: 'team', key: 'secret', scopes: [] }],
      /^the key `team`: expected a list with a length of at least 1 at/,
    ],
    [
      [{ id: 'team', key: 'secret', scopes: ['infre'] }],
      /^the key `team`: expected .*infer.*admin.*metrics.*debug.* at `scopes`$/,
    ],
    [[{ id: 'team', scopes: ['infer'] }], /^the key `team`: expected one of `key` and `sha256`$/],
    [
      [{ id: 'team', key: 'secret', sha256: sha256('secret'), scopes: ['infer'] }],
      /^the key `team`: expected one of/,
    ],
    [
      [{ id: 'team', sha256: 'secret', scopes: ['infer'] }],
      /^the key `team`: .*64 hexadecimal digits at `sha256`$/,
    ],
    [[{ id: 'team', key: 'my secret', scopes: ['infer'] }], /^the key `team`: .*without spaces.* at `key`$/],
    [
      [{ id: 'team', key: 'secret', scopes: ['infer'], expires: 'secret' }],
      /^the key `team`: .*date.* at `expires`$/,
    ],
    [[{ id: 'team', key: 'secret', scopes: ['infer'], expires: '2027-02-30' }], / at `expires`$/],
    [
      [{ id: 'team', key: 'secret', scopes: ['infer'], rate: 0 }],
      /^the key `team`: .*greater than 0 at `rate`$/,
    ],
    [[{ id: 'team', key: 'secret', scopes: ['infer'], burst: 5 }], /^the key `team`: `burst` needs `rate`$/],
    [[{ id: 'team', key: 'secret', scopes: ['infer'], queue_share: 2 }], / at `queue_share`$/],
    [[{ id: 'team', key: 'secret', scopes: ['infer'], queueshare: 1 }], /did you mean `?queue_share/],
    [[{ id: 'a secret', key: 'secret', scopes: ['infer'] }], /^the key in place 1: .* at `id`$/],
    [
      [{ id: 'team', key: 'secret', scopes: ['infer', 'metrics'], models: ['m'] }],
      /^the key `team`: with `models`, expected `infer` as the only one of `scopes`/,
    ],
    [['secret'], /^the key in place 1: expected an object$/],
    [
      [
        { id: 'one', key: 'a', scopes: ['infer'] },
        { id: 'two', key: 3, scopes: ['infer'] },
      ],
      /^the key `two`: /,
    ],
  ])('%j', (list, message) => {
    const read = () => grantsOfList('json', JSON.stringify(list), new RateMemory());
    expect(read).toThrow(message);
    expect(read).not.toThrow(/secret/);
  });

  it('damaged JSON is refused as such', () => {
    const read = () => grantsOfList('json', '[{"key": "secret", secret}]', new RateMemory());
    expect(read).toThrow(/^it begins with \[ and is no JSON list/);
    expect(read).not.toThrow(/secret/);
  });

  it.each([
    ['- id: team\n  key: [secret\n', /^line \d is no YAML \(\w+\)$/],
    ['- {id: team, key: secret, key: secret2}\n', /^line 1 is no YAML \(DUPLICATE_KEY\)$/],
    ['- *secret\n', /^an alias has no anchor|^line 1 is no YAML/],
    ['secret\n', /^expected a list of keys$/],
    ['- id: team\n  key: secret\n  scopes: infer\n', /^the key `team`: expected a list at `scopes`$/],
  ])('YAML: %j', (text, message) => {
    const read = () => grantsOfList('yaml', text, new RateMemory());
    expect(read).toThrow(message);
    expect(read).not.toThrow(/secret/);
  });

  it('a server with such a list does not start', async () => {
    const repository = await TestRepository.create('versioned');
    const file = repository.path('.keys');
    for (const [list, message] of [
      [
        [{ id: 'team', key: 'secret', scopes: ['nothing'] }],
        /--api-key-file \S+: the key `team`: .* at `scopes`/,
      ],
      [
        [
          { id: 'team', key: 'secret', scopes: ['infer'] },
          { id: 'team', key: 'secret2', scopes: ['infer'] },
        ],
        /two API keys have the id `team`/,
      ],
      [
        [
          { id: 'team', key: 'secret', scopes: ['infer'] },
          { id: 'again', sha256: sha256('secret'), scopes: ['admin'] },
        ],
        /the API keys `team` and `again` are the same key/,
      ],
      [[], /holds no key/],
    ] as const) {
      writeFileSync(file, JSON.stringify(list));
      const { code, output } = await runProgram([
        'serve',
        ...['--port', '0', '--model-path', repository.root, '--api-key-file', file],
      ]);
      expect(code).not.toBe(0);
      expect(output).toMatch(message);
      expect(output).not.toContain('secret');
    }
    await repository.remove();
  });
});

it('a list in YAML says the same as one in JSON', () => {
  const entry = {
    id: 'team',
    sha256: sha256('k'),
    scopes: ['infer'],
    models: ['a', 'b'],
    expires: '2027-01-31',
  };
  const yaml = `# of the team\n- id: team\n  sha256: ${entry.sha256}\n  scopes: [infer]\n  models:\n    - a\n    - b\n  expires: 2027-01-31\n`;
  const [ofYaml] = grantsOfList('yaml', yaml, new RateMemory());
  expect(ofYaml).toEqual(grantsOfList('json', JSON.stringify([entry]), new RateMemory())[0]);
  expect(ofYaml?.expires).toBe(Date.UTC(2027, 1, 1));
});

describe('a bucket', () => {
  const rate = { perSecond: 10, burst: 3 };

  it('gives as many at once as it holds, and then as many a second as the rate says', () => {
    const limit = new RateLimit(rate, new Float64Array(1));
    expect([0, 0, 0, 0].map(() => limit.take(1000))).toEqual([0, 0, 0, 100]);
    expect(limit.take(1099)).toBeCloseTo(1);
    expect(limit.take(1100)).toBe(0);
    expect(limit.take(1100)).toBeCloseTo(100);
    let taken = 0;
    for (let moment = 1200; moment < 11_200; moment++) if (limit.take(moment) === 0) taken += 1;
    expect(taken).toBe(100);
  });

  it('is one for all that have its memory, and another for each key', () => {
    const ours = new RateMemory();
    const theirs = new RateMemory(ours.memory);
    const digests = Array.from({ length: 200 }, (_, i) => sha256(String(i)));
    for (const digest of digests) ours.placeOf(digest)[0] = digests.indexOf(digest);
    for (const digest of digests.toReversed())
      expect(theirs.placeOf(digest)[0]).toBe(digests.indexOf(digest));
    const [one, other] = [ours, theirs].map(
      (memory) => new RateLimit(rate, memory.placeOf(sha256('shared'))),
    );
    expect([one, other, one, other].map((limit) => limit?.take(5000))).toEqual([0, 0, 0, 100]);
  });

  it('with a lower rate does not wait longer than that rate says', () => {
    const place = Float64Array.of(1e9);
    expect(new RateLimit({ perSecond: 1, burst: 2 }, place).take(1000)).toBe(1000);
  });

  it('still limits when there is no place left', () => {
    const memory = new RateMemory(new SharedArrayBuffer(16));
    memory.placeOf(sha256('first'))[0] = 7;
    expect(memory.placeOf(sha256('second'))[0]).toBe(0);
  });
});

describe('a server with a list of keys', () => {
  let repository: TestRepository;
  let server: TestServer;
  let file: string;

  const entries = [
    {
      id: 'everything',
      sha256: sha256('k-all').toUpperCase(),
      scopes: ['infer', 'admin', 'metrics', 'debug'],
    },
    { id: 'one-model', key: 'k-one', scopes: ['infer'], models: ['rows', 'not_there'] },
    { id: 'old', key: 'k-old', scopes: ['infer'], expires: '2020-01-31' },
    { id: 'soon', key: 'k-soon', scopes: ['infer'], expires: inDays(3) },
    { id: 'later', key: 'k-later', scopes: ['infer'], expires: inDays(30) },
    { id: 'slow', key: 'k-slow', scopes: ['infer'], rate: 0.001, burst: 3 },
    { key: 'k-unnamed', scopes: ['debug'] },
  ];

  beforeAll(async () => {
    repository = await TestRepository.create('versioned', 'rows');
    file = repository.path('.keys');
    writeFileSync(file, JSON.stringify(entries, undefined, 2));
    server = await TestServer.start({
      args: [
        ...['--model-path', repository.root, '--default-model', 'versioned', '--api-key-file', file],
        ...['--access-log', 'stdout'],
      ],
    });
  });

  afterAll(async () => {
    await server.stop();
    await repository.remove();
  });

  const get = (path: string, key: string) => server.fetch(path, { headers: { 'x-api-key': key } });
  const infer = (path: string, key: string) => server.infer(path, body, { 'x-api-key': key });

  async function listed(key: string): Promise<{ models: { name: string }[]; default_model: string | null }> {
    return JSON.parse(await (await get('/models', key)).text());
  }

  it('knows a key by its hash', async () => {
    expect((await infer('/models/versioned/infer', 'k-all')).status).toBe(200);
    expect((await get('/metrics', 'k-all')).status).toBe(200);
    expect((await get('/models', sha256('k-all'))).status).toBe(401);
  });

  it('tells of keys that end within a week and of those that have ended, and of no other', () => {
    expect(server.log).toMatch(/WARN.*the API key old has expired/);
    expect(server.log).toMatch(/WARN.*the API key soon expires at 20/);
    expect(server.log).not.toMatch(/API key (later|everything)/);
  });

  it('refuses a key after its end, and says so', async () => {
    const { status, body: answer } = await infer('/infer', 'k-old');
    expect([status, answer.error.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.error.message).toMatch(/has expired/);
    for (const key of ['k-soon', 'k-later']) expect((await infer('/infer', key)).status).toBe(200);
    const document = await (await get('/openapi.json', 'k-old')).text();
    expect(document).not.toContain('/models/versioned/infer');
  });

  it('shows the id of a key in the access log, also where it is refused', async () => {
    await get('/metrics', 'k-one');
    await infer('/infer', 'k-old');
    await get('/models', 'k-unnamed');
    const unnamed = sha256('k-unnamed').slice(0, 8);
    await until(() => server.log.includes(`PERMISSION_DENIED key ${unnamed} `), 'the last line');
    expect(server.log).toMatch(/ GET \/metrics 403 .* key one-model /);
    expect(server.log).toMatch(/ POST \/infer 401 .* key old /);
    expect(server.log).not.toMatch(/k-one|k-old|k-unnamed/);
  });

  it('lets a limited key use its models, and no other', async () => {
    expect((await infer('/models/rows/infer', 'k-one')).status).not.toBe(403);
    // Whether a model is there is not told either.
    for (const path of [
      ...[
        '/infer',
        '/models/versioned/infer',
        '/models/versioned/infer?',
        '/models/versioned/versions/1/infer',
      ],
      ...['/models/nobody/infer', '/models/VERSIONED/infer'],
    ]) {
      const { status, body: answer } = await infer(path, 'k-one');
      expect([path, status, answer.error.code]).toEqual([path, 403, 'PERMISSION_DENIED']);
      expect(answer.error.message).toContain('it may use `rows`, `not_there`');
    }
    expect((await infer('/models/not_there/infer', 'k-one')).status).toBe(404);
    for (const path of [
      '/models/versioned',
      '/model_info',
      '/v2/models/versioned',
      '/v2/models/versioned/stats',
    ])
      expect([path, (await get(path, 'k-one')).status]).toEqual([path, 403]);
    for (const path of ['/v2/models/versioned/config', '/v2/models/versioned/ready'])
      expect([path, (await get(path, 'k-one')).status]).toEqual([path, 403]);
    const headers = { 'x-api-key': 'k-one', 'content-type': 'application/json' };
    const oip = await server.fetch('/v2/models/versioned/infer', { method: 'POST', headers, body: oipBody });
    expect([oip.status, await oip.json()]).toEqual([
      403,
      { error: expect.stringMatching(/^this key may not use the model `versioned`/) },
    ]);
  });

  it('shows a limited key its models only', async () => {
    const models = await listed('k-one');
    expect(models.models.map(({ name }) => name)).toEqual(['rows']);
    expect(models.default_model).toBeNull();
    const everything = await listed('k-all');
    expect(everything.models.map(({ name }) => name)).toEqual(['rows', 'versioned']);
    for (const path of ['/v2/models/stats', '/openapi.json', '/models/not_there'])
      expect(await (await get(path, 'k-one')).text(), path).not.toContain('versioned');
    expect(await (await get('/openapi.json', 'k-one')).text()).toContain('/models/rows/infer');
  });

  it('limits the rate of a key before it reads a body, in the form of each protocol', async () => {
    const headers = { 'x-api-key': 'k-slow' };
    for (let i = 0; i < 3; i++) expect((await infer('/infer', 'k-slow')).status).toBe(200);
    const json = { ...headers, 'content-type': 'application/json' };
    const large = 'x'.repeat(100_000);
    const own = await server.fetch('/infer', { method: 'POST', headers: json, body: large });
    expect([own.status, await own.json()]).toEqual([
      429,
      {
        status: 'error',
        error: {
          code: 'RESOURCE_EXHAUSTED',
          message: expect.stringMatching(
            /^this key may send 0.001 requests a second, and 3 at once; wait \d+ s$/,
          ),
        },
      },
    ]);
    expect(Number(own.headers.get('retry-after'))).toBeGreaterThan(900);
    const oip = await server.fetch('/v2/models/versioned/infer', {
      method: 'POST',
      headers: json,
      body: large,
    });
    expect([oip.status, await oip.json()]).toEqual([
      429,
      { error: expect.stringMatching(/^this key may send/) },
    ]);
    expect(Number(oip.headers.get('retry-after'))).toBeGreaterThan(900);
    expect((await get('/models', 'k-slow')).status).toBe(429);
    // Others are not concerned, nor is what needs no key.
    expect((await infer('/infer', 'k-all')).status).toBe(200);
    expect((await get('/health', 'k-slow')).status).toBe(200);
    await until(() => / POST \/infer 429 .* key slow /.test(server.log), 'the line of the access log');
  });

  it('reads the list again, and goes on counting', async () => {
    const added = { id: 'added', key: 'k-added', scopes: ['infer'], expires: new Date(Date.now() + 4000) };
    writeFileSync(file, JSON.stringify([...entries, added]));
    server.child.kill('SIGHUP');
    await until(async () => (await infer('/infer', 'k-added')).status === 200, 'the new key');
    expect((await infer('/infer', 'k-slow')).status).toBe(429);
    await until(async () => (await infer('/infer', 'k-added')).status === 401, 'its end');
    await until(() => server.log.includes('the API key added has expired'), 'the warning');
    writeFileSync(file, JSON.stringify([{ id: 'wrong', key: 'k-wrong', scopes: 'infer' }]));
    server.child.kill('SIGHUP');
    await until(() => server.log.includes('keys that were in use stay'), 'the refusal');
    expect(server.log).toMatch(/stay: --api-key-file \S+: the key `wrong`: expected a list at `scopes`/);
    expect((await infer('/infer', 'k-all')).status).toBe(200);
    expect(server.log).not.toContain('k-wrong');
  });
});

it('the workers of a server limit a key together, and by its models', async () => {
  const repository = await TestRepository.create('versioned', 'rows');
  const file = repository.path('.keys.yaml');
  writeFileSync(
    file,
    `- {id: slow, key: k-slow, scopes: [infer], rate: 0.001, burst: 10, expires: "${inDays(1)}"}
- {id: one-model, key: k-one, scopes: [infer], models: [rows]}
`,
  );
  const server = await TestServer.start({
    args: ['--model-path', repository.root, '--workers', '2', '--api-key-file', file],
  });
  try {
    // Each connection comes to one of the workers.
    const ask = (path: string, key: string) =>
      server.infer(path, body, { 'x-api-key': key, connection: 'close' });
    const replies = await Promise.all(
      Array.from({ length: 40 }, () => ask('/models/versioned/infer', 'k-slow')),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(30);
    // The main thread answers these.
    expect((await server.fetch('/models', { headers: { 'x-api-key': 'k-slow' } })).status).toBe(429);
    for (let i = 0; i < 8; i++) expect((await ask('/models/versioned/infer', 'k-one')).status).toBe(403);
    expect(server.log.match(/API key slow expires/g)).toHaveLength(1);
  } finally {
    await server.stop();
    await repository.remove();
  }
});
