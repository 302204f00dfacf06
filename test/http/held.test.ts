/**
 * Everything that a request holds (tensors, reserved bytes, the end of the server) is released, whatever its client
 * does.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { array, int, ints, map } from '../fixtures/cbor.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { post, postHead, RawConnection, ways } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

const one = map({ x: ints(1) });

let repository: TestRepository;
let server: TestServer;

beforeEach(async () => {
  repository = await TestRepository.create('versioned', 'slow', 'identity');
});

afterEach(async () => {
  await server.stop('SIGKILL');
  await repository.remove();
});

async function serve(...args: string[]): Promise<void> {
  const common = ['--model-path', repository.root, '--default-model', 'versioned'];
  server = await TestServer.start({ args: [...common, ...args] });
}

async function metricIs(name: string, value: number): Promise<void> {
  await until(async () => (await server.metric(name)) === value, `${name} to be ${value}`);
}

async function nothingIsLeft(): Promise<void> {
  for (const kind of ['tensors', 'runsInFlight']) await metricIs(`tfjs_serving_native{kind="${kind}"}`, 0);
  await metricIs('tfjs_serving_tensors', 0);
  await metricIs('tfjs_serving_inflight_bytes', 0);
}

it('answers that wait behind another on a connection that breaks', async () => {
  await serve();
  const connection = await RawConnection.open(server.url);
  const slow = post('/models/slow/infer', map({ x: ints(0), steps: int(80_000) }));
  const quick = post('/infer', one);
  connection.send(Buffer.concat([slow, quick, quick, quick]));
  // The quick ones have run, and their answers wait for that of the slow one.
  await metricIs('tfjs_serving_native{kind="runsInFlight"}', 1);
  await until(async () => ((await server.metric('tfjs_serving_unread_bytes')) ?? 0) > 0, 'answers to wait');
  connection.socket.destroy();
  await nothingIsLeft();
  const cancelled = 'inference_requests_total{model="slow",version="1",status="CANCELLED"}';
  await metricIs(cancelled, 1);
  expect(await server.stop()).toBe(0);
});

it('a large answer that its client does not read', async () => {
  await serve('--idle-timeout', '0.5');
  const connection = await leaveUnread(8 * 2 ** 20);
  const ok = 'inference_requests_total{model="identity",version="1",status="ok"}';
  await metricIs(ok, 1);
  await nothingIsLeft();
  connection.socket.destroy();
});

it('a client that reads slowly is not taken for one that does not read', async () => {
  await serve('--idle-timeout', '0.5');
  const { socket } = await leaveUnread(2 ** 22);
  let received = 0;
  socket.removeAllListeners('data');
  socket.on('data', (chunk: string) => {
    received += chunk.length;
    socket.pause();
  });
  for (let i = 0; i < 40; i++) {
    socket.resume();
    await delay(100);
  }
  expect(received).toBeLessThan(2 ** 23);
  expect(socket.destroyed).toBe(false);
  socket.removeAllListeners('data');
  socket.on('data', (chunk: string) => {
    received += chunk.length;
  });
  socket.resume();
  await until(() => received > 2 ** 24 || socket.destroyed, 'the whole answer');
  expect(received).toBeGreaterThan(2 ** 24);
  socket.destroy();
});

/** A client that asks for an answer of 8 MiB, or of so many floats, more than the buffers of both ends take, and does not read it. */
async function leaveUnread(floats = 2 ** 21): Promise<RawConnection> {
  const body = map({ x: array([floats], 85, new Uint8Array(4 * floats)) });
  const connection = await RawConnection.open(server.url);
  connection.socket.pause();
  const head = postHead('/models/identity/infer', `Content-Length: ${body.length}`);
  connection.send(head.replace('Accept: application/json\r\n', ''));
  connection.send(body);
  return connection;
}

/** Four of them, which leave no room for a fifth under `--max-inflight-bytes 40MiB`. */
async function leaveFourUnread(): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  for (let i = 1; i <= 4; i++) {
    connections.push(await leaveUnread());
    const isUnread = async () => ((await server.metric('tfjs_serving_unread_bytes')) ?? 0) >= i * 2 ** 23;
    await until(isUnread, `${i} unread answers`);
  }
  return connections;
}

it('answers that nobody reads keep a further large one from being sent, and no small one', async () => {
  await serve('--max-inflight-bytes', '40MiB', '--body-timeout', '600');
  const connections = await leaveFourUnread();
  const late = await leaveUnread();
  late.socket.resume();
  await until(() => late.statuses.length === 1, 'the answer');
  expect(late.statuses).toEqual([503]);
  expect(late.received).toContain('--max-inflight-bytes');
  expect((await server.infer('/infer', one)).status).toBe(200);
  for (const { socket } of [...connections, late]) socket.destroy();
  await metricIs('tfjs_serving_unread_bytes', 0);
  await nothingIsLeft();
});

it('clients that hardly send or read are not waited for when the server is told to stop', async () => {
  await serve('--body-timeout', '1', '--shutdown-timeout', '170');
  const half = await RawConnection.open(server.url);
  half.send(post('/infer', one).subarray(0, -2));
  const unread = await leaveUnread();
  const isUnread = async () => ((await server.metric('tfjs_serving_unread_bytes')) ?? 0) > 0;
  await until(isUnread, 'an unread answer');
  expect(await server.stop()).toBe(0);
  await until(() => half.ended, 'the connection to be closed');
  expect(half.statuses.length).toBe(1);
  unread.socket.destroy();
});

it('a client that takes next to nothing of its answer gives way to another answer', async () => {
  await serve('--max-inflight-bytes', '40MiB', '--body-timeout', '0.5');
  const connections = await leaveFourUnread();
  const statusOfAnother = async () => {
    const another = await leaveUnread();
    another.socket.resume();
    await until(() => another.statuses.length === 1, 'the answer');
    another.socket.destroy();
    return another.statuses[0];
  };
  // Nobody is called slow in the first second.
  await until(async () => (await statusOfAnother()) === 200, 'room');
  for (const { socket } of connections) socket.resume();
  await until(() => connections.some(({ ended }) => ended), 'a client to be cut off');
  expect(connections.every(({ ended }) => ended)).toBe(false);
});

it('a run that is longer than --idle-timeout is not taken for a client that does not read', async () => {
  await serve('--idle-timeout', '0.1');
  const connection = await RawConnection.open(server.url);
  const slow = post('/models/slow/infer', map({ x: ints(0), steps: int(40_000) }));
  connection.send(Buffer.concat([post('/infer', one), slow, ways['fast entrance'](slow)]));
  await until(() => connection.statuses.length === 3 || connection.ended, 'the answers');
  expect(connection.statuses).toEqual([200, 200, 200]);
});

it.each(Object.entries(ways))(
  'by the %s, a body that stops half way, or whose client leaves',
  async (_, way) => {
    await serve('--body-timeout', '0.5');
    const half = way(post('/infer', one)).subarray(0, -2);
    const stalled = await RawConnection.open(server.url);
    stalled.send(half);
    const left = await RawConnection.open(server.url);
    left.send(half);
    await metricIs('tfjs_serving_inflight_bytes', 2 * one.length);
    left.socket.destroy();
    await metricIs('tfjs_serving_inflight_bytes', one.length);
    await until(() => stalled.ended, 'the connection to be closed');
    expect(stalled.statuses).toEqual([408]);
    expect(stalled.received).toContain('REQUEST_TIMEOUT');
    await nothingIsLeft();
    for (const status of ['CANCELLED', 'REQUEST_TIMEOUT'])
      await metricIs(`inference_requests_total{model="versioned",version="1",status="${status}"}`, 1);
  },
);

it('a body of /update_model that does not come', async () => {
  await serve('--body-timeout', '0.2');
  for (const type of ['application/json', 'application/cbor']) {
    const connection = await RawConnection.open(server.url);
    const head = postHead('/update_model', 'Content-Length: 100').replace('application/cbor', type);
    connection.send(`${head}{`);
    await until(() => connection.ended, 'the connection to be closed');
    expect(connection.statuses).toEqual([408]);
    expect(connection.received).toContain('REQUEST_TIMEOUT');
  }
});

it('a client that asks first (Expect) and is refused sends nothing and is not kept', async () => {
  await serve('--max-body-bytes', '1KiB');
  for (const [where, length, status] of [
    ['/infer', 1025, 413],
    ['/models/nothing/infer', 5, 404],
    ['/nothing', 5, 404],
    ['/models', 5, 405],
  ] as const) {
    const connection = await RawConnection.open(server.url);
    connection.send(postHead(where, `Content-Length: ${length}`, 'Expect: 100-continue'));
    await until(() => connection.ended, 'the connection to be closed');
    expect(connection.statuses, where).toEqual([status]);
  }
});

it('a body that the byte budget never has room for is too large, not to be tried again', async () => {
  await serve('--max-inflight-bytes', '100KiB');
  expect(server.log).toContain('--max-inflight-bytes limits bodies to 102400 bytes');
  const { status, body } = await server.infer('/infer', new Uint8Array(102_401));
  expect([status, body.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  await nothingIsLeft();
});

it.each(Object.entries(ways))(
  'a body that comes too slowly gives way when its room is wanted (%s)',
  async (_, way) => {
    const size = 64 * 1024;
    await serve('--max-inflight-bytes', `${3 * size}`, '--body-timeout', '20');
    const [eager, slow, slower] = await Promise.all([1, 2, 3].map(() => RawConnection.open(server.url)));
    const head = way(Buffer.from(postHead('/infer', `Content-Length: ${size}`)));
    // The first sends half of its body at once, the others next to nothing.
    for (const [connection, sent] of [
      [eager, size / 2],
      [slow, 1],
      [slower, 1],
    ] as const) {
      connection?.send(Buffer.concat([head, Buffer.alloc(sent)]));
      await until(async () => connection?.socket.bytesWritten === head.length + sent, 'it to be sent');
    }
    await metricIs('tfjs_serving_inflight_bytes', 3 * size);
    // At first nobody is called slow: the others are refused.
    expect((await server.infer('/infer', one)).status).toBe(503);
    await until(async () => (await server.infer('/infer', one)).status === 200, 'room for another');
    await until(() => slow?.ended || slower?.ended, 'a slow one to be cut off');
    expect([slow?.ended, slower?.ended]).toContain(false);
    const [gone, stays] = slow?.ended ? [slow, slower] : [slower, slow];
    expect(gone?.received).toContain('408');
    expect(gone?.received).toContain('others wanted its room');
    expect([eager?.received, stays?.received]).toEqual(['', '']);
    for (const connection of [eager, stays]) connection?.socket.destroy();
    await nothingIsLeft();
  },
);

it('a request within another request is a body, and never run', async () => {
  await serve();
  const inner = 'POST /update_model HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const connection = await RawConnection.open(server.url);
  connection.send(
    `GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  );
  connection.send('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(() => connection.statuses.length === 2, 'two answers');
  expect(connection.received.match(/"status":"ok"\}/g)).toHaveLength(2);
  connection.socket.destroy();
  const ambiguous = await RawConnection.open(server.url);
  ambiguous.send(postHead('/infer', 'Content-Length: 5', 'Transfer-Encoding: chunked'));
  await until(() => ambiguous.ended, 'the connection to be closed');
  expect(ambiguous.statuses).toEqual([400]);
});
