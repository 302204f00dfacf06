/**
 * The access log: one line for each request, however it ended, and nothing secret in it.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
import { postHead, RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1, 2]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 0x01, 0x02);

let repository: TestRepository;
let server: TestServer | undefined;
let file: string;

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
  file = repository.path('.access.log');
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await repository.remove();
});

async function start(...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: ['--model-path', repository.root, '--access-log', file, ...args] });
  return server;
}

function lines(of = file): string[] {
  return readFileSync(of, 'utf8').split('\n').slice(0, -1);
}

/** The lines once there are so many. */
async function linesWhen(count: number, of = file): Promise<string[]> {
  await until(() => lines(of).length >= count, `${count} lines`);
  return lines(of);
}

describe('the access log', () => {
  it('has a line in text for each request, with the model that answered and where the time went', async () => {
    const { infer } = await start().then((started) => ({ infer: started.infer.bind(started) }));
    await infer('/models/versioned/infer?signature=serving_default', body, { 'x-request-id': 'first' });
    const [line] = await linesWhen(1);
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 127\.0\.0\.1 POST \/models\/versioned\/infer 200 6 \d+ \d+\.\d{3} ms ok versioned\/1 queue \d+\.\d{3} run \d+\.\d{3} first$/,
    );
  });

  it('has a line in JSON, whose numbers are those of the answer', async () => {
    const started = await start('--access-log-format', 'json');
    const answer = await started.fetch('/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', 'x-request-id': 'second' },
      body,
    });
    const { byteLength } = await answer.arrayBuffer();
    const none = await started.fetch('/models/none/infer', { method: 'POST', body });
    const { byteLength: noneLength } = await none.arrayBuffer();
    const update = await started.update({ model: 'none' });
    const [ok, missing, refused] = (await linesWhen(3)).map((line) => JSON.parse(line));
    expect(ok).toMatchObject({
      ...{ level: 'info', peer: '127.0.0.1', method: 'POST', path: '/infer', status: 200 },
      ...{ bytes_in: 6, bytes_out: byteLength, model: 'versioned', version: 1, request_id: 'second' },
    });
    expect(ok.seconds).toBeGreaterThan(0);
    expect(ok.run_seconds).toBeGreaterThan(0);
    expect(Math.abs(Date.parse(ok.time) - Date.now())).toBeLessThan(60_000);
    expect(missing).toMatchObject({
      path: '/models/none/infer',
      status: 404,
      code: 'NOT_FOUND',
      bytes_out: noneLength,
    });
    expect(update.status).toBe(404);
    expect(refused).toMatchObject({ path: '/update_model', status: 404, code: 'NOT_FOUND', bytes_in: 16 });
    expect(refused.bytes_out).toBeGreaterThan(0);
    expect(missing).not.toHaveProperty('model');
  });

  it('has lines of the combined format, in which no header ends its quotes', async () => {
    const started = await start('--access-log-format', 'combined');
    await started.fetch('/models?secret=1', {
      headers: { 'user-agent': 'a "quoted" \\ agent', referer: 'http://127.0.0.1/page?secret=2' },
    });
    const [line = ''] = await linesWhen(1);
    const combined =
      /^(\S+) (\S+) (\S+) \[(\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000)\] "(\S+) (\S+) (HTTP\/1\.[01])" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$/;
    expect(combined.exec(line)?.slice(1)).toEqual([
      ...['127.0.0.1', '-', '-', expect.any(String), 'GET', '/models', 'HTTP/1.1', '200'],
      ...[expect.stringMatching(/^[1-9]\d*$/), 'http://127.0.0.1/page', 'a \\x22quoted\\x22 \\x5c agent'],
    ]);
  });

  it('tells of requests that could not be read, and of clients that left', async () => {
    const started = await start();
    const noise = await RawConnection.open(started.url);
    noise.send('NONSENSE\r\n\r\n');
    await linesWhen(1);
    const proxied = await RawConnection.open(started.url);
    proxied.send(
      'GET http://me:secret@localhost/nowhere?k=secret#secret HTTP/1.1\r\nHost: localhost\r\n\r\n',
    );
    await linesWhen(2);
    expect(lines()[1]).toMatch(/ GET http:\/\/localhost\/nowhere 4\d\d /);
    const gone = await RawConnection.open(started.url);
    gone.send(
      'POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cbor\r\nContent-Length: 6\r\n\r\n\xa1',
    );
    await started.fetch('/health/live');
    gone.socket.destroy();
    const [unreadable, , , left] = await linesWhen(4);
    expect(unreadable).toMatch(/ 127\.0\.0\.1 - - 400 /);
    expect(left).toMatch(/ 127\.0\.0\.1 POST \/infer 499 /);
  });

  it('says 400 of a request whose body Node cannot read, as its client was told', async () => {
    const started = await start();
    const damaged = await RawConnection.open(started.url);
    damaged.send(`${postHead('/infer', 'Transfer-Encoding: chunked')}no size\r\n`);
    await until(() => damaged.ended, 'the connection to end');
    expect(damaged.statuses).toEqual([400]);
    expect((await linesWhen(1))[0]).toMatch(/ POST \/infer 400 .* INVALID_ARGUMENT /);
  });

  it('has the id of the key, and never the key', async () => {
    const keys = repository.path('.keys');
    writeFileSync(keys, 'infer:a-secret-key\n');
    const started = await start('--api-key-file', keys);
    for (const headers of [{ 'x-api-key': 'a-secret-key' }, { authorization: 'Bearer a-secret-key' }])
      await started.infer('/infer?key=a-secret-key', body, { ...headers, referer: 'http://a-secret-key/' });
    await started.fetch('/models?x-api-key=a-secret-key');
    const [first = '', second, refused] = await linesWhen(3);
    const [, id] = / key (\w{8}) /.exec(first) ?? [];
    expect(second).toContain(` key ${id} `);
    expect(refused).toMatch(/ GET \/models 401 /);
    expect(`${lines().join('\n')}${started.log}`).not.toContain('a-secret-key');
  });

  it('goes on in a new file after SIGHUP, so that the old one can be moved away', async () => {
    const started = await start();
    await started.fetch('/health/live');
    await linesWhen(1);
    renameSync(file, `${file}.1`);
    await started.fetch('/health');
    expect(await linesWhen(2, `${file}.1`)).toHaveLength(2);
    started.child.kill('SIGHUP');
    await until(async () => {
      await started.fetch('/models');
      return lines(`${file}.1`).length > 0 && (await fileIsThere());
    }, 'the new file');
    expect(await linesWhen(1)).not.toHaveLength(0);
    expect(lines().every((line) => line.includes(' GET /models 200 '))).toBe(true);
  });

  it('has every failure, and none of the rest, where the share is 0', async () => {
    const started = await start('--access-log-sample', '0');
    for (let i = 0; i < 5; i++) await started.fetch('/health');
    await started.fetch('/nowhere');
    const [only, ...more] = await linesWhen(1);
    expect(only).toContain(' GET /nowhere 404 ');
    expect(more).toEqual([]);
  });

  it('to stdout stands among the lines of the log', async () => {
    server = await TestServer.start({ args: ['--model-path', repository.root, '--access-log', 'stdout'] });
    await server.fetch('/health/live');
    await until(() => / GET \/health\/live 200 /.test(server?.output.stdout ?? ''), 'the line');
  });

  it('that cannot be written is an error at the start', async () => {
    const args = [
      'serve',
      '--port',
      '0',
      '--model-path',
      repository.root,
      '--access-log',
      '/nowhere/access.log',
    ];
    const { code, output } = await runProgram(args);
    expect(output).toMatch(/--access-log \/nowhere\/access\.log cannot be written: ENOENT/);
    expect(code).toBe(1);
  });
});

async function fileIsThere(): Promise<boolean> {
  try {
    return lines().length > 0;
  } catch {
    return false;
  }
}
