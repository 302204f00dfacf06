/** Nothing secret in any log: keys are sent in every place where one can be, and looked for at every level and in every format. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

const key = 'S3CRET-good';
const wrong = 'S3CRET-wrong';

let repository: TestRepository;
let server: TestServer | undefined;

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await repository.remove();
});

/** Each place of a request that can hold a key. */
function headersWith(secret: string): Record<string, string>[] {
  return [
    { 'x-api-key': secret },
    { 'api-key': secret },
    { authorization: `Bearer ${secret}` },
    { authorization: `Basic ${Buffer.from(`user:${secret}`).toString('base64')}` },
    { authorization: secret },
    { 'proxy-authorization': `Bearer ${secret}` },
    { cookie: `key=${secret}` },
    { 'x-api-key': `${secret}, ${secret}` },
    { referer: `https://user:${secret}@shop.example/page?key=${secret}#${secret}` },
    { 'x-forwarded-for': secret },
  ];
}

/** The forms in which a key could come into a log. */
const traces = [
  'S3CRET',
  Buffer.from(`user:${key}`).toString('base64'),
  Buffer.from(`user:${wrong}`).toString('base64'),
  ...[key, wrong].map((each) => createHash('sha256').update(each).digest('hex')),
];

async function askEverywhere(started: TestServer): Promise<void> {
  const paths = ['/infer', '/infer?', '/models', '/metrics', '/update_model', '/debug/profile', '/nowhere'];
  const bodies = [JSON.stringify({ inputs: { x: [1] } }), `{"key": "${key}`];
  for (const secret of [key, wrong]) {
    for (const headers of headersWith(secret)) {
      for (const path of [...paths, '/v2/models/versioned/infer']) {
        const asked = `${path}${path.includes('?') ? '' : '?'}key=${secret}&x-api-key=${secret}#${secret}`;
        await (await started.fetch(asked, { headers })).text();
        const json = { ...headers, 'content-type': 'application/json' };
        await (await started.fetch(path, { method: 'POST', headers: json, body: bodies[0] ?? '' })).text();
      }
    }
  }
  for (const body of bodies) {
    const headers = { 'content-type': 'application/json', 'x-api-key': key };
    await (await started.fetch('/infer', { method: 'POST', headers, body })).text();
  }
  // What Node's parser refuses.
  for (const text of [
    `GET /models HTTP/1.1\r\nHost: localhost\r\nX-API-Key ${key}\r\n\r\n`,
    `GET /models HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\0\r\n\r\n`,
    `${key} / HTTP/1.1\r\n\r\n`,
    `GET http://user:${key}@localhost/models?key=${key} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `CONNECT user:${key}@localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  ]) {
    const connection = await RawConnection.open(started.url);
    connection.send(text);
    await until(() => connection.statuses.length > 0, text);
    connection.socket.destroy();
  }
}

describe.each(['debug', 'info'])('at the level %s', (level) => {
  it.each([
    ['text', 'combined'],
    ['json', 'json'],
    ['text', 'text'],
  ])('no log has a key: %s, with an access log in %s', async (format, accessFormat) => {
    repository = await TestRepository.create('versioned');
    const [keys, access] = [repository.path('.keys'), repository.path('.access.log')];
    writeFileSync(keys, JSON.stringify([{ key, scopes: ['infer', 'metrics', 'admin'], rate: 1000 }]));
    server = await TestServer.start({
      args: [
        ...[
          '--model-path',
          repository.root,
          '--api-key-file',
          keys,
          '--log-format',
          format,
          '--log-level',
          level,
        ],
        ...['--access-log', access, '--access-log-format', accessFormat],
      ],
    });
    await askEverywhere(server);
    for (const wrongFile of [`[{"key": "${key}", ${key}}]`, `infre:${key}`, `infer:${key} ${key}`, '[]']) {
      writeFileSync(keys, wrongFile);
      const before = server.log.length;
      server.child.kill('SIGHUP');
      const refused = () => /keys that were in use stay/.test(server?.log.slice(before) ?? '');
      await until(refused, 'the refusal');
    }
    expect(await server.stop()).toBe(0);
    const logs = `${server.log}\n${readFileSync(access, 'latin1')}`;
    // The requests are there.
    expect(logs).toMatch(/\/models/);
    const telling = logs.split('\n').filter((line) => traces.some((each) => line.includes(each)));
    expect(telling).toEqual([]);
  });
});

it('no key is told when a start is refused', async () => {
  repository = await TestRepository.create('versioned');
  const keys = repository.path('.keys');
  for (const text of [`infre:${key}`, `infer:${key} ${key}`, `[{"key": "${key}"}]`, `["${key}"]`]) {
    writeFileSync(keys, text);
    const { code, output } = await runProgram([
      ...['serve', '--port', '0', '--model-path', repository.root, '--api-key-file', keys],
    ]);
    expect(code).not.toBe(0);
    expect(output).not.toContain('S3CRET');
  }
});
