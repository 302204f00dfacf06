/**
 * Queues, deadlines and runs that hang: what is bounded, who is refused, and who never notices.
 *
 * `rows_slow` runs as long as its steps say, and one run at a time here: what comes after it waits.
 */
import { expect, it } from 'vitest';
import { ints, map } from '../../fixtures/cbor.ts';
import type { Answer, TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';
import { post, postHead, RawConnection, ways } from '../../fixtures/socket.ts';
import { until } from '../../fixtures/until.ts';

stopServerAfterEach();

const oneAtATime = ['--run-threads', '1', '--max-batch-size', '1'];
/** Longer than any test. */
const forever = 1_000_000_000;

const steps = (count: number) => map({ x: ints(0), steps: ints(count) });

async function metric(server: TestServer, name: string, model = 'rows_slow'): Promise<number | undefined> {
  return server.metric(`tfjs_serving_${name}{model="${model}",version="1",signature="serving_default"}`);
}

async function metricIs(server: TestServer, name: string, value: number, model?: string): Promise<void> {
  await until(async () => (await metric(server, name, model)) === value, `${name} to be ${value}`);
}

/** Takes the only slot. The answer is settled when the server ends, or at the deadline. */
async function occupy(
  server: TestServer,
  timeout = '120',
  model = 'rows_slow',
): Promise<Promise<Answer | 'lost'>> {
  const answer = server
    .infer(`/models/${model}/infer`, steps(forever), { 'x-request-timeout': timeout })
    .catch(() => 'lost' as const);
  await metricIs(server, 'runs_in_flight', 1, model);
  return answer;
}

it('a full queue is refused at once, with Retry-After, also before the body is sent', async () => {
  const { server } = await serveModels(['rows_slow', 'rows'], ...oneAtATime, '--queue-size', '2');
  void occupy(server);
  await metricIs(server, 'runs_in_flight', 1);
  for (let waiting = 1; waiting <= 2; waiting++) {
    void server.infer('/infer', steps(1)).catch(() => 'lost');
    await metricIs(server, 'queue_length', waiting);
  }
  const response = await server.fetch('/infer', {
    method: 'POST',
    headers: { 'content-type': 'application/cbor', accept: 'application/json' },
    body: steps(1),
  });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await response.json()).toMatchObject({
    error: { code: 'UNAVAILABLE', message: 'too many requests wait for this model (--queue-size)' },
  });
  const connection = await RawConnection.open(server.url);
  connection.send(postHead('/infer', 'Content-Length: 1000000', 'Expect: 100-continue'));
  await until(() => connection.ended, 'the refusal');
  expect(connection.statuses).toEqual([503]);
  // Another model's queue is its own.
  expect((await server.get('/models/rows')).body.batching.serving_default.queue).toEqual({
    waiting: 0,
    size: 2,
  });
});

it('a full queue is refused alike past Koa and through it, and the rest of the body is read away', async () => {
  const { server } = await serveModels(['rows_slow'], ...oneAtATime, '--queue-size', '1');
  void occupy(server);
  await metricIs(server, 'runs_in_flight', 1);
  void server.infer('/infer', steps(1)).catch(() => 'lost');
  await metricIs(server, 'queue_length', 1);
  const refusals = await Promise.all(
    ['application/cbor', 'application/cbor, application/json;q=0.1'].map(async (accept) => {
      const connection = await RawConnection.open(server.url);
      const head = postHead('/infer', 'Content-Length: 1000000', 'x-request-id: an-id');
      connection.send(head.replace('application/json', accept));
      await until(() => connection.statuses.length === 1, 'the refusal');
      const refusal = connection.received.replace(/Date: .*\r\n/, '');
      connection.send(new Uint8Array(1_000_000));
      connection.send(head.replace('1000000', '0'));
      await until(() => connection.statuses.length === 2, 'the next answer on the connection');
      return refusal;
    }),
  );
  expect(refusals[0]).toMatch(/^HTTP\/1.1 503 /);
  expect(refusals[0]).toBe(refusals[1]);
  expect(await server.metric('tfjs_serving_inflight_bytes')).toBe(steps(1).length + steps(forever).length);
});

it('what waits too long is answered 504 and never run', async () => {
  const { server } = await serveModels(['rows_slow'], ...oneAtATime);
  void occupy(server);
  await metricIs(server, 'runs_in_flight', 1);
  const { status, body } = await server.infer('/infer', steps(1), { 'x-request-timeout': '0.2' });
  expect([status, body.error.code]).toEqual([504, 'DEADLINE_EXCEEDED']);
  expect(await metric(server, 'queue_length')).toBe(0);
  expect(await metric(server, 'runs_total')).toBe(1);
});

it.each(Object.entries(ways))(
  'by the %s, a client that hangs up takes its queued work with it: alone, pipelined, and before its body has come',
  async (_, way) => {
    const { server } = await serveModels(['rows_slow'], ...oneAtATime);
    void occupy(server);
    await metricIs(server, 'runs_in_flight', 1);
    const whole = way(post('/models/rows_slow/infer', steps(1)));
    for (const [sent, waiting] of [
      [whole, 1],
      [Buffer.concat([whole, whole, whole]), 3],
      [whole.subarray(0, whole.length - 3), 0],
    ] as const) {
      const connection = await RawConnection.open(server.url);
      connection.send(sent);
      const reserved = 'tfjs_serving_inflight_bytes';
      await until(async () => ((await server.metric(reserved)) ?? 0) > steps(forever).length, 'it to come');
      await metricIs(server, 'queue_length', waiting);
      connection.socket.destroy();
      await metricIs(server, 'queue_length', 0);
      await until(
        async () => (await server.metric(reserved)) === steps(forever).length,
        'its bytes to be given back',
      );
    }
    expect(await metric(server, 'runs_total')).toBe(1);
  },
);

it('a run that is spread over threads ends with the time of its last request', async () => {
  const { server } = await serveModels(['rows_slow'], ...oneAtATime, '--inter-threads', '2');
  expect(await await occupy(server, '0.3')).toMatchObject({ status: 504 });
  await metricIs(server, 'runs_in_flight', 0);
  expect(await server.infer('/infer', steps(1))).toMatchObject({ status: 200 });
});

it('a run that hangs is answered at its deadline, counted as stuck, and harms no other model', async () => {
  const { server, repository } = await serveModels(['rows_slow', 'rows_guarded', 'versioned'], ...oneAtATime);
  const one = map({ x: ints(1) });
  expect(await await occupy(server, '0.3')).toMatchObject({ status: 504 });
  expect(await metric(server, 'runs_stuck')).toBe(1);
  expect(await metric(server, 'runs_in_flight')).toBe(1);
  // Others run in its place.
  for (let i = 0; i < 5; i++) {
    expect(await server.infer('/models/rows_guarded/infer', one)).toMatchObject({ status: 200 });
  }
  // Its own model waits: the slot is counted against it.
  expect(await server.infer('/infer', steps(1), { 'x-request-timeout': '0.3' })).toMatchObject({
    status: 504,
  });
  // Another version of another model is swapped in, and unloaded.
  await repository.publish(2);
  expect((await server.update({ model: 'versioned' })).body.models[0]).toMatchObject({ version: 2 });
  const states = async () => (await server.get('/models/versioned')).body.versions;
  await until(
    async () => (await states()).every(({ state }: { state: string }) => state !== 'UNLOADING'),
    'the unload',
  );
  // The hung version itself can be replaced.
  await repository.copy('rows_slow', 1, 2);
  expect((await server.update({ model: 'rows_slow' })).body.models[0]).toMatchObject({ version: 2 });
  expect(await server.infer('/infer', steps(1))).toMatchObject({ status: 200, body: { version: 2 } });
});

it('a run that hangs does not keep the process from ending', async () => {
  const { server } = await serveModels(['rows_slow'], ...oneAtATime, '--shutdown-timeout', '0.5');
  expect(await await occupy(server, '0.3')).toMatchObject({ status: 504 });
  expect(await server.stop()).toBe(1);
});

it('models take turns: a long queue of one does not keep the other waiting', async () => {
  const { server } = await serveModels(['rows_slow', 'rows_guarded'], ...oneAtATime);
  const order: string[] = [];
  const slow = Array.from({ length: 20 }, () =>
    server.infer('/infer', steps(4000)).then(() => order.push('slow')),
  );
  await until(async () => ((await metric(server, 'queue_length')) ?? 0) >= 10, 'a queue');
  await server.infer('/models/rows_guarded/infer', map({ x: ints(1) })).then(() => order.push('other'));
  await Promise.all(slow);
  expect(order.indexOf('other')).toBeLessThan(order.length - 5);
});

it('requests in their order, when they cannot share a run', async () => {
  const { server } = await serveModels(['rows_slow'], ...oneAtATime);
  const connection = await RawConnection.open(server.url);
  const bodies = [3000, 2, 1].map((count) =>
    post('/models/rows_slow/infer', map({ x: ints(0), steps: ints(count) })),
  );
  connection.send(Buffer.concat(bodies));
  await until(() => connection.statuses.length === 3, 'three answers');
  expect(connection.received.match(/"y":\[[^\]]*\]/g)).toEqual(['"y":[3000.0]', '"y":[2.0]', '"y":[1.0]']);
});
