/**
 * From the start to SIGTERM: what a client sees, and what the process leaves.
 */
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestRepository, unsafeModels } from '../fixtures/repository.ts';
import { launch, runProgram, TestServer } from '../fixtures/server.ts';
import { post, RawConnection, ways } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [0], "steps": N}` for the slow model: y = N mod 128. */
function steps(count: number): Uint8Array {
  const body = Buffer.from('a26178810065737465707300' + '00000000', 'hex');
  body.writeUInt8(0x1a, 11);
  body.writeUInt32BE(count, 12);
  return body;
}

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create('slow');
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await repository.remove();
});

async function serve(...args: string[]): Promise<void> {
  server = await TestServer.start({ args: ['--model-path', repository.root, ...args] });
}

async function running(count: number): Promise<void> {
  const name = 'tfjs_serving_native{kind="runsInFlight"}';
  await until(async () => (await server.metric(name)) === count, `${count} runs in flight`);
}

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: not ready, no new work, what is under way is finished, exit 0',
  async (signal) => {
    await serve('--shutdown-timeout', '150');
    const answer = server.infer('/infer', steps(100_000));
    await running(1);
    server.child.kill(signal);
    await until(async () => (await server.get('/health/ready')).status === 503, 'not to be ready');
    expect((await server.get('/health')).body.status).toBe('draining');
    const refused = await server.infer('/infer', steps(1));
    expect([refused.status, refused.body.error.code]).toEqual([503, 'UNAVAILABLE']);
    server.child.kill(signal);
    expect(await answer).toMatchObject({ status: 200, body: { outputs: { y: [100_000 % 128] } } });
    await until(() => server.child.exitCode !== null, 'the end');
    expect(server.child.exitCode).toBe(0);
  },
);

it('--drain-delay: from SIGTERM on it is not ready, and answers as before, until the delay is over', async () => {
  await serve('--drain-delay', '5');
  const failures: unknown[] = [];
  let answers = 0;
  let isOver = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const answer = await server.infer('/infer', steps(1)).catch(String);
      if (typeof answer === 'string' || answer.status !== 200) failures.push(answer);
      else answers += 1;
    }
  });
  await until(() => answers > 10, 'answers');
  server.child.kill('SIGTERM');
  await until(
    () => server.log.includes('SIGTERM: not ready from now on, and in 5 s'),
    'the signal to be heeded',
  );
  answers = 0;
  for (const path of ['/health/ready', '/v2/health/ready'])
    expect((await server.get(path)).status, path).toBe(503);
  expect((await server.get('/health')).body).toMatchObject({ status: 'draining', ready: false });
  expect((await server.get('/health/live')).status).toBe(200);
  await until(() => answers > 20 || failures.length > 0, 'answers within the delay');
  isOver = true;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  await until(() => server.child.exitCode !== null, 'the end');
  expect(server.child.exitCode).toBe(0);
});

it('a second SIGTERM within --drain-delay ends the server at once', async () => {
  await serve('--drain-delay', '1000');
  server.child.kill('SIGTERM');
  await until(() => server.log.includes('SIGTERM: not ready'), 'the signal to be heeded');
  // One that comes within half a second is an echo of the first.
  await delay(600);
  server.child.kill('SIGTERM');
  await until(() => server.child.exitCode !== null, 'the end');
  expect(server.child.exitCode).toBe(1);
  expect(server.log).toContain('SIGTERM again: ending at once');
});

it.each(Object.entries(ways))(
  'from SIGTERM on an answer ends its connection, but not before that of a request behind it (%s)',
  async (_, way) => {
    await serve('--shutdown-timeout', '150');
    const request = (count: number) => way(post('/infer', steps(count)));
    const [one, two] = [await RawConnection.open(server.url), await RawConnection.open(server.url)];
    one.send(request(80_000));
    two.send(Buffer.concat([request(80_000), request(40_000)]));
    await running(2);
    server.child.kill('SIGTERM');
    await until(async () => (await server.get('/health/ready')).status === 503, 'not to be ready');
    await until(() => one.ended && two.ended, 'the connections to be closed');
    expect([one.statuses, two.statuses]).toEqual([[200], [200, 200]]);
    expect(one.received.toLowerCase()).toContain('\r\nconnection: close\r\n');
    await until(() => server.child.exitCode !== null, 'the end');
    expect(server.child.exitCode).toBe(0);
  },
);

it.each(Object.entries(ways))(
  'a request that comes after SIGTERM behind another ends their connection (%s)',
  async (_, way) => {
    await serve('--shutdown-timeout', '150');
    const connection = await RawConnection.open(server.url);
    connection.send(way(post('/infer', steps(60_000))));
    await running(1);
    server.child.kill('SIGTERM');
    await until(async () => (await server.get('/health/ready')).status === 503, 'not to be ready');
    connection.send(way(post('/infer', steps(1))));
    await until(() => connection.ended, 'the connection to be closed');
    expect(connection.statuses).toEqual([200, 503]);
    expect(connection.received.toLowerCase().match(/connection: [a-z-]+/g)).toEqual([
      'connection: keep-alive',
      'connection: close',
    ]);
  },
);

it('a request that comes at the very end meets the end of its connection, and no reset', async () => {
  await serve();
  const { hostname, port } = new URL(server.url);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  const errors: unknown[] = [];
  socket.on('error', (error) => errors.push(error));
  socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  server.child.kill('SIGTERM');
  await once(socket.resume(), 'end');
  for (let i = 0; i < 5; i++) {
    socket.write(post('/infer', steps(1)));
    await delay(20);
  }
  socket.end();
  await once(socket, 'close');
  expect(errors).toEqual([]);
  await until(() => server.child.exitCode !== null, 'the end');
  expect(server.child.exitCode).toBe(0);
});

it('a run that outlasts --shutdown-timeout does not keep the process: exit 1, and the log says so', async () => {
  await serve('--shutdown-timeout', '0.2');
  const answer = server.infer('/infer', steps(2_000_000)).catch(() => 'lost');
  await running(1);
  expect(await server.stop()).toBe(1);
  expect(server.log).toContain('some requests were not finished within --shutdown-timeout');
  expect(await answer).toBe('lost');
});

it('what is refused is found in the log by the id of its answer, the caller’s or ours', async () => {
  await serve('--log-level', 'debug', '--log-format', 'json', '--run-threads', '1', '--queue-size', '1');
  const post = (headers = {}) =>
    server.fetch('/infer', {
      method: 'POST',
      body: steps(1),
      headers: { 'content-type': 'application/cbor', ...headers },
    });
  const first = server.infer('/infer', steps(100_000));
  await running(1);
  const second = server.infer('/infer', steps(1));
  const waiting = 'tfjs_serving_queue_length{model="slow",version="1",signature="serving_default"}';
  await until(async () => (await server.metric(waiting)) === 1, 'a request that waits');

  const refused = [await post(), await post({ 'x-request-id': 'mine' }), await server.fetch('/nothing')];
  const ids = refused.map(({ headers }) => headers.get('x-request-id'));
  const logged = () =>
    server.log
      .split('\n')
      .filter((line) => line.includes('request_id'))
      .map((line) => JSON.parse(line));
  await until(() => logged().length === 3, 'three lines of the log');
  expect(logged().map(({ code, request_id }) => [code, request_id])).toEqual([
    ['UNAVAILABLE', ids[0]],
    ['UNAVAILABLE', 'mine'],
    ['NOT_FOUND', ids[2]],
  ]);
  expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
  await Promise.all([first, second]);
});

it('at its deadline a request is answered 504; its run goes on, is counted, and leaves nothing', async () => {
  await serve();
  const { status, body } = await server.infer('/infer', steps(40_000), { 'x-request-timeout': '0.05' });
  expect([status, body.error.code]).toEqual([504, 'DEADLINE_EXCEEDED']);
  expect(await server.metric('tfjs_serving_native{kind="runsInFlight"}')).toBe(1);
  expect(await server.metric('tfjs_serving_inflight_bytes')).toBe(steps(40_000).length);
  await running(0);
  await until(
    async () => (await server.metric('tfjs_serving_tensors')) === 0,
    'its tensors to be given back',
  );
});

it.each(['0', '-1', 'soon', '1e3', ''])('X-Request-Timeout %j', async (header) => {
  await serve();
  const { status } = await server.infer('/infer', steps(1), { 'x-request-timeout': header });
  expect(status).toBe(header === '' ? 200 : 400);
});

it('X-Request-Timeout may only lower the limit', async () => {
  await serve('--request-timeout', '0.05');
  expect((await server.infer('/infer', steps(20_000), { 'x-request-timeout': '60' })).status).toBe(504);
});

it('while a model runs and another loads, the event loop answers others', async () => {
  await serve('--settle', '0.1');
  // Longer than any load takes; the end of the server ends it.
  const answer = server.infer('/infer', steps(10_000_000)).catch(() => 'lost');
  await running(1);
  await repository.publish(1);
  await until(async () => (await server.get('/models/versioned')).body.version === 1, 'versioned to serve');
  for (let i = 0; i < 50; i++) await server.get('/health/live');
  await running(1);
  await server.stop('SIGKILL');
  expect(await answer).toBe('lost');
});

it('under --runtime tfjs the same run holds everything up', async () => {
  await serve('--runtime', 'tfjs');
  const lag = 'nodejs_eventloop_lag_max_seconds';
  // Reading starts it anew.
  await server.metric(lag);
  await server.infer('/infer', steps(50_000));
  const held = (await server.metric(lag)) ?? 0;
  const sum = 'inference_latency_seconds_sum{model="slow",version="1",status="ok"}';
  const run = (await server.metric(sum)) ?? Number.POSITIVE_INFINITY;
  expect(held).toBeGreaterThan(run / 2);
});

it('requests are counted by model, version and outcome, and unknown names make no labels', async () => {
  await serve();
  for (let i = 0; i < 3; i++) await server.infer('/infer', steps(1));
  await server.infer('/infer', Uint8Array.of(0xa0));
  await server.infer('/models/nobody/infer', steps(1));
  const count = (labels: string) => server.metric(`inference_requests_total{${labels}}`);
  expect(await count('model="slow",version="1",status="ok"')).toBe(3);
  expect(await count('model="slow",version="1",status="INVALID_ARGUMENT"')).toBe(1);
  expect(await count('model="",version="",status="NOT_FOUND"')).toBe(1);
  expect(await server.metric('inference_latency_seconds_count{model="slow",version="1",status="ok"}')).toBe(
    3,
  );
});

it('who waits in /update_model for a model is answered at SIGTERM, and does not keep the server', async () => {
  await serve('--settle', '3600');
  await cp(repository.path('slow', 1), repository.path('slow', 2), { recursive: true });
  const waiting = server.update({ timeout: 3600 });
  await until(
    async () => (await server.get('/models/slow')).body.versions.length === 2,
    'version 2 to be found, and waited for',
  );
  server.child.kill('SIGTERM');
  const { status, body } = await waiting;
  expect([status, body.error.code]).toEqual([503, 'UNAVAILABLE']);
  await until(() => server.child.exitCode !== null, 'the end');
  expect(server.child.exitCode).toBe(0);
});

it('SIGTERM while a model is still loading at the start ends it with 0 as well', async () => {
  // Its initialisation never ends.
  await cp(path.join(unsafeModels, 'endless'), repository.path('endless'), { recursive: true });
  const { child, output } = launch(['serve', '--port', '0', '--model-path', repository.root]);
  const ended = once(child, 'exit');
  // A start that takes long says where it listens.
  const url = await until(
    () => /listening on (\S+); models .* are still loading/.exec(output.text)?.[1],
    'the load to take long',
  );
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  expect(output.text).not.toContain('serving on');
});

it('a start that cannot succeed ends with one sentence that names what is wrong', async () => {
  await serve();
  const { port } = new URL(server.url);
  const file = repository.path('a-file');
  await writeFile(file, '');
  const nowhere = repository.path('nowhere');
  const failures: [args: string[], sentence: string][] = [
    [
      ['--port', port],
      `cannot listen on 127.0.0.1:${port}: the port is in use (EADDRINUSE), perhaps by a server`,
    ],
    [['--host', '192.0.2.250'], 'cannot listen on 192.0.2.250:0: '],
    [['--model-path', nowhere], `--model-path ${nowhere} does not exist`],
    [['--model-path', file], `--model-path ${file} is a file, not a folder`],
    [['--api-key-file', nowhere], '--api-key-file cannot be read: ENOENT'],
    [['--config', nowhere], `--config ${nowhere} cannot be read: ENOENT`],
    [
      ['--runtime', 'tfjs', '--gpu-memory-fraction', '0.5'],
      '--gpu-memory-fraction has no effect under --runtime tfjs',
    ],
  ];
  for (const [args, sentence] of failures) {
    const { code, output } = await runProgram([
      'serve',
      ...['--port', '0', '--model-path', repository.root],
      ...args,
    ]);
    expect(code, output).toBe(args[0] === '--config' || args[0] === '--runtime' ? 2 : 1);
    const ours = output.split('\n').filter((line) => line.startsWith('tfjs-serving: '));
    expect(ours, output).toEqual([expect.stringContaining(sentence)]);
    expect(output).not.toContain('    at ');
  }
});
