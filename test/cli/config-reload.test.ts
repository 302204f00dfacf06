/**
 * SIGHUP: the settings are read again, and those that can change while the server serves do.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { Traffic } from '../fixtures/traffic.ts';
import { until } from '../fixtures/until.ts';

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create();
  await repository.publish(1);
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await repository.remove();
});

function write(text: string): void {
  writeFileSync(repository.path('.config.yaml'), text);
}

async function serve(...args: string[]): Promise<void> {
  const config = ['--config', repository.path('.config.yaml')];
  server = await TestServer.start({ args: ['--model-path', repository.root, ...config, ...args] });
}

/** The number of times that something is in the log. */
function logged(what: RegExp): number {
  return server.log.match(new RegExp(what, 'gm'))?.length ?? 0;
}

async function reload(text: string, what: RegExp): Promise<void> {
  const before = logged(what);
  write(text);
  server.child.kill('SIGHUP');
  await until(() => logged(what) > before, `${what} in the log`);
}

describe.each([1, 2])('with --workers %i', (workers) => {
  it('no request fails while the settings change a hundred times', async () => {
    write('request_timeout: 100\n');
    await serve('--workers', String(workers), '--access-log', repository.path('.access.log'));
    const traffic = new Traffic(server);
    for (let i = 0; i < 100; i++) {
      const before = traffic.replies.length;
      await reload(
        `request_timeout: ${50 + i}\naccess_log_sample: ${i / 100}\nlog_level: ${i % 2 ? 'info' : 'debug'}\n`,
        /in use from now on: --request-timeout/,
      );
      await until(() => traffic.replies.length > before || traffic.failures.length > 0, 'an answer');
    }
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(traffic.mixed(() => 1)).toEqual([]);
    expect(traffic.replies.length).toBeGreaterThanOrEqual(100);
  });

  it('what can change changes, for every connection', async () => {
    const file = repository.path('.access.log');
    write('access_log_sample: 0\n');
    await serve('--workers', String(workers), '--access-log', file);
    const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 0x01, 0x02);
    // Each `fetch` may take another connection, and with it another worker.
    const ask = () =>
      Promise.all(
        Array.from({ length: 16 }, async () => {
          const headers = { connection: 'close', 'content-type': 'application/cbor' };
          const answer = await server.fetch('/models/versioned/infer', { method: 'POST', headers, body });
          await answer.arrayBuffer();
          return answer;
        }),
      );
    const lines = () => readFileSync(file, 'utf8').split('\n').length - 1;
    for (const answer of await ask()) expect(answer.headers.has('server-timing')).toBe(false);
    expect(lines()).toBe(0);
    await reload('access_log_sample: 1\nserver_timing: true\n', /in use from now on: --server-timing, /);
    await until(async () => (await ask()).every(({ headers }) => headers.has('server-timing')), 'the header');
    await until(() => lines() >= 16, 'the access log');
    await reload('request_timeout: 0.000001\n', /in use from now on: --request-timeout/);
    await until(async () => (await ask()).every(({ status }) => status === 504), 'no time for a request');
  });
});

it('debug lines begin and end with the level', async () => {
  write('');
  await serve();
  await server.fetch('/nothing-1');
  await reload('log_level: debug\n', /in use from now on: --log-level/);
  await server.fetch('/nothing-2');
  await until(() => server.log.includes('/nothing-2'), 'the refusal in the log');
  expect(server.log).not.toContain('/nothing-1');
  await reload('log_level: error\n', /SIGHUP: reading/);
  await server.fetch('/nothing-3');
  await reload('log_level: info\n', /in use from now on: --log-level/);
  expect(server.log).not.toContain('/nothing-3');
});

it('what cannot change is named each time, until it is as before', async () => {
  write('port: 0\n');
  await serve('--host', '127.0.0.1');
  for (let i = 0; i < 2; i++)
    await reload(
      'idle_timeout: 5\nrun_threads: 3\nhost: 0.0.0.0\nrequest_timeout: 7\n',
      /need a new start: /,
    );
  expect(server.log).toMatch(/WARN: SIGHUP: these settings have changed, and need a new start: /);
  expect(logged(/need a new start: --idle-timeout, --run-threads$/)).toBe(2);
  // A flag comes before the file.
  expect(server.log).not.toContain('--host,');
  expect(logged(/in use from now on: --request-timeout$/)).toBe(1);
  await reload('request_timeout: 8\n', /in use from now on/);
  expect(logged(/need a new start/)).toBe(2);
});

it.each([
  ['request_timeout: 7\nprot: 1\n', /, line 2: there is no setting `prot` \(did you mean `port`\?\)/],
  ['server_timing: true\nrequest_timeout: soon\n', /request_timeout in .*, line 2: expected a number/],
  ['server_timing: true\ntls_key: x\n', /--tls-key needs --tls-cert: give both/],
  ['server_timing: true\n\ta: b\n', /, line \d, cannot be read: /],
])('%j changes nothing, and is one line of error', async (text, message) => {
  write('');
  await serve();
  await reload(text, /ERROR: SIGHUP: the settings stay as they were: /);
  expect(server.log).toMatch(message);
  expect(logged(/ERROR/)).toBe(1);
  expect(logged(/in use from now on/)).toBe(0);
  const answer = await server.infer('/models/versioned/infer', Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 1, 2));
  expect(answer.status).toBe(200);
  await reload('request_timeout: 9\n', /in use from now on: --request-timeout$/);
});
