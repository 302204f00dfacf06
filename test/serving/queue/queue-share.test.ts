/** A key that may hold only a share of a queue: it is refused beyond that, and the places of others stay free. */
import { writeFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { ints, map } from '../../fixtures/cbor.ts';
import { TestRepository } from '../../fixtures/repository.ts';
import { type Answer, TestServer } from '../../fixtures/server.ts';
import { postHead, RawConnection } from '../../fixtures/socket.ts';
import { until } from '../../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

afterEach(async () => {
  await server.stop('SIGKILL');
  await repository.remove();
});

const steps = (count: number) => map({ x: ints(0), steps: ints(count) });
/** Longer than any test. */
const forever = 1_000_000_000;

const keys = [
  { id: 'half', key: 'k-half', scopes: ['infer'], queue_share: 0.5 },
  { id: 'little', key: 'k-little', scopes: ['infer'], queue_share: 0.01 },
  { id: 'all', key: 'k-all', scopes: ['infer', 'metrics'] },
];

async function serve(...args: readonly string[]): Promise<void> {
  repository = await TestRepository.create('rows_slow');
  const file = repository.path('.keys');
  writeFileSync(file, JSON.stringify(keys));
  server = await TestServer.start({
    args: [
      ...['--model-path', repository.root, '--api-key-file', file, ...args],
      ...['--run-threads', '1', '--max-batch-size', '1', '--queue-size', '4'],
    ],
  });
}

async function metricIs(name: string, value: number): Promise<void> {
  const line = `tfjs_serving_${name}{model="rows_slow",version="1",signature="serving_default"} ${value}\n`;
  await until(async () => {
    const response = await server.fetch('/metrics', { headers: { 'x-api-key': 'k-all' } });
    return (await response.text()).includes(line);
  }, `${name} to be ${value}`);
}

function ask(key: string, count = 1): Promise<Answer> {
  return server.infer('/infer', steps(count), { 'x-api-key': key });
}

/** Asks for what will not be run before the test ends. */
function wait(key: string, count = 1): void {
  ask(key, count).catch(() => {});
}

it('holds so many places and no more, while other keys take the rest', async () => {
  await serve();
  wait('k-all', forever);
  await metricIs('runs_in_flight', 1);
  wait('k-half');
  await metricIs('queue_length', 1);
  const leaving = await RawConnection.open(server.url);
  leaving.send(postHead('/infer', 'X-API-Key: k-half', `Content-Length: ${steps(1).length}`));
  leaving.send(steps(1));
  await metricIs('queue_length', 2);
  const refused = await ask('k-half');
  expect([refused.status, refused.body.error]).toEqual([
    429,
    {
      code: 'RESOURCE_EXHAUSTED',
      message: 'too many requests of this key wait for this model (`queue_share` of the key)',
    },
  ]);
  wait('k-little');
  await metricIs('queue_length', 3);
  expect((await ask('k-little')).status).toBe(429);
  // A client that leaves gives up its place, and another request may have it.
  leaving.socket.destroy();
  await metricIs('queue_length', 2);
  wait('k-half');
  await metricIs('queue_length', 3);
  wait('k-all');
  await metricIs('queue_length', 4);
  // A full queue is a full queue, whoever asks.
  for (const key of ['k-half', 'k-all']) expect((await ask(key)).status).toBe(503);
});

it('is refused before the body is read, in the form of each protocol, with Retry-After', async () => {
  await serve();
  wait('k-all', forever);
  await metricIs('runs_in_flight', 1);
  wait('k-little');
  await metricIs('queue_length', 1);
  for (const path of ['/infer', '/infer?', '/v2/models/rows_slow/infer']) {
    const connection = await RawConnection.open(server.url);
    const head = ['X-API-Key: k-little', 'Content-Length: 1000000', 'Expect: 100-continue'];
    connection.send(postHead(path, ...head));
    await until(() => connection.ended, 'the refusal');
    expect(connection.received).toMatch(/^HTTP\/1.1 429 /);
    expect(connection.received).toMatch(/\r\nretry-after: 1\r\n/i);
    expect(connection.received).toMatch(
      path.startsWith('/v2') ? /\{"error":"too many requests of this key/ : /"code":"RESOURCE_EXHAUSTED"/,
    );
  }
});

it('has its places back after each run', async () => {
  await serve('--inline-run-micros', '0');
  for (let i = 0; i < 10; i++) {
    const replies = await Promise.all([ask('k-half'), ask('k-half')]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
  }
});
