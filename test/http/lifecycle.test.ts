/**
 * From the start to SIGTERM: what a client sees, and what the process leaves.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';
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
    await serve();
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

it('a run that outlasts --shutdown-timeout does not keep the process: exit 1, and the log says so', async () => {
  await serve('--shutdown-timeout', '0.2');
  const answer = server.infer('/infer', steps(2_000_000)).catch(() => 'lost');
  await running(1);
  expect(await server.stop()).toBe(1);
  expect(server.log).toContain('some requests were not finished within --shutdown-timeout');
  expect(await answer).toBe('lost');
});

it('at its deadline a request is answered 504; its run goes on, is counted, and leaves nothing', async () => {
  await serve();
  const { status, body } = await server.infer('/infer', steps(20_000), { 'x-request-timeout': '0.05' });
  expect([status, body.error.code]).toEqual([504, 'DEADLINE_EXCEEDED']);
  expect(await server.metric('tfjs_serving_native{kind="runsInFlight"}')).toBe(1);
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
  const order: string[] = [];
  const run = server.infer('/infer', steps(120_000)).then(() => order.push('run'));
  await running(1);
  await repository.publish(1);
  await until(async () => (await server.get('/models/versioned')).body.version === 1, 'versioned to serve');
  order.push('loaded');
  for (let i = 0; i < 50; i++) await server.get('/health/live');
  order.push('fifty answers');
  await run;
  expect(order).toEqual(['loaded', 'fifty answers', 'run']);
});

it('under --runtime tfjs the same run holds everything up', async () => {
  await serve('--runtime', 'tfjs');
  const order: string[] = [];
  const run = server.infer('/infer', steps(120_000)).then(() => order.push('run'));
  // One after another: a few may be answered before the run begins, and none while it lasts.
  for (let i = 0; i < 50; i++) await server.get('/health/live');
  order.push('fifty answers');
  await run;
  expect(order).toEqual(['run', 'fifty answers']);
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

it('a port that is taken ends the start with one sentence', async () => {
  await serve();
  const { port } = new URL(server.url);
  const { code, output } = await runProgram(['serve', '--port', port, '--model-path', repository.root]);
  expect(code).toBe(1);
  expect(output).toContain(`tfjs-serving: cannot listen on 127.0.0.1:${port}: `);
});
