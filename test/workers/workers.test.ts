/** Several event loops in one process: one table, one set of limits, and loops that die. */
import { Agent, request } from 'node:http';
import type { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { createServer, type Server, type ServerOptions } from '#dist/index.js';
import { TestRepository } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

/** CBOR `{"x": [1, 2]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, 0x01, 0x02);

interface Reply {
  readonly status: number | 'lost';
  readonly version: number;
}

/** What a test may see of the workers of a server. */
interface WorkersInside {
  readonly threads: readonly Worker[];
  readonly replaced: readonly number[];
}

let repository: TestRepository;
let server: Server | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
  await repository.remove();
});

async function serve(options: ServerOptions = {}, ...models: readonly string[]): Promise<Server> {
  repository = await TestRepository.create(...models);
  if (models.length === 0) await repository.publish(1);
  server = createServer({
    ...{ modelPath: repository.root, port: 0, workers: 2, rehearse: 'off', settle: 0.02, scanInterval: 0 },
    ...{ logLevel: 'silent', ...options },
  });
  await server.start();
  return server;
}

function workersOf(of: Server): WorkersInside {
  return Reflect.get(of, 'workers') as WorkersInside;
}

/** Asks once, by a connection of its own or one of an agent. */
function ask(
  of: Server,
  agent: Agent | false = false,
  { path = '/models/versioned/infer', sent = body } = {},
): Promise<Reply> {
  return new Promise((resolve) => {
    const lost = () => resolve({ status: 'lost', version: 0 });
    const headers = { 'content-type': 'application/cbor', accept: 'application/json' };
    const call = request(`${of.address}${path}`, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', lost);
      response.on('end', () => {
        const { version = 0 } = JSON.parse(Buffer.concat(chunks).toString());
        resolve({ status: response.statusCode ?? 0, version });
      });
    });
    call.on('error', lost);
    call.end(sent);
  });
}

async function metric(of: Server, name: string): Promise<number> {
  const text = await (await fetch(`${of.address}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

it('answers of all workers are counted together, and the weights are there once', async () => {
  const server = await serve();
  const replies = await Promise.all(Array.from({ length: 100 }, () => ask(server)));
  expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
  const labels = 'model="versioned",version="1"';
  expect(await metric(server, `inference_requests_total{${labels},status="ok"}`)).toBe(100);
  expect(await metric(server, `tfjs_serving_rows_total{${labels},signature="serving_default"}`)).toBe(200);
  expect(await metric(server, 'tfjs_serving_native{kind="sessions"}')).toBe(1);
  expect(await metric(server, 'tfjs_serving_workers')).toBe(2);
});

it('two answers in a row on different connections never go back a version', async () => {
  const server = await serve();
  let stopped = false;
  const seen: number[] = [];
  const failures: Reply[] = [];
  const client = async () => {
    let newest = 0;
    while (!stopped) {
      const reply = await ask(server);
      if (reply.status !== 200) failures.push(reply);
      expect(reply.version).toBeGreaterThanOrEqual(newest);
      newest = reply.version;
      seen.push(newest);
    }
  };
  const clients = Array.from({ length: 6 }, client);
  for (let version = 2; version <= 12; version++) {
    await repository.publish(version);
    const update = await fetch(`${server.address}/update_model`, { method: 'POST' });
    expect(update.status).toBe(200);
    // Every loop serves it by now.
    const replies = await Promise.all(Array.from({ length: 8 }, () => ask(server)));
    expect(replies.map((reply) => reply.version)).toEqual(replies.map(() => version));
  }
  stopped = true;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(new Set(seen).size).toBeGreaterThan(5);
});

it('a worker that is killed loses only its own requests, and the next one takes its connections', async () => {
  const server = await serve();
  const workers = workersOf(server);
  let stopped = false;
  let answered = 0;
  let lost = 0;
  const failures: Reply[] = [];
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const clients = agents.map(async (agent) => {
    while (!stopped) {
      const reply = await ask(server, agent);
      if (reply.status === 200) answered += 1;
      else if (reply.status === 'lost') lost += 1;
      else failures.push(reply);
    }
  });
  for (let kill = 1; kill <= 20; kill++) {
    const [victim] = workers.threads.slice(kill % workers.threads.length);
    await victim?.terminate();
    await until(() => workers.threads.length === 2, 'a successor to begin');
    expect(workers.replaced.reduce((sum, each) => sum + each)).toBe(kill);
    const before = answered;
    await until(() => answered > before + 20, 'more answers');
  }
  stopped = true;
  await Promise.all(clients);
  for (const agent of agents) agent.destroy();
  expect(failures).toEqual([]);
  // A client has one request at a time.
  expect(lost).toBeLessThanOrEqual(20 * agents.length);
  for (let round = 0; round < 20; round++) {
    const replies = await Promise.all(Array.from({ length: 50 }, () => ask(server)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
  }
  expect(await metric(server, 'tfjs_serving_workers_replaced_total')).toBe(20);
  await until(async () => (await metric(server, 'tfjs_serving_native{kind="environments"}')) === 3, 'three');
}, 240_000);

it('a version that a worker cannot open is not served, and the one before it goes on', async () => {
  const server = await serve();
  const workers = Reflect.get(server, 'workers');
  const prepare = workers.prepare.bind(workers);
  workers.prepare = (deployment: { model: { shared: object } }, servable: object) => {
    const model = { ...deployment.model, shared: { ...deployment.model.shared, session: 123_456_789 } };
    return prepare({ ...deployment, model }, servable);
  };
  await repository.publish(2);
  const update = await fetch(`${server.address}/update_model`, { method: 'POST' });
  expect(update.status).toBe(409);
  expect(JSON.stringify(await update.json())).toContain('a worker cannot open it');
  expect((await ask(server)).version).toBe(1);
  expect(await metric(server, 'tfjs_serving_native{kind="sessions"}')).toBe(1);
  workers.prepare = prepare;
  await repository.publish(3);
  expect((await fetch(`${server.address}/update_model`, { method: 'POST' })).status).toBe(200);
  expect((await ask(server)).version).toBe(3);
});

it('the queue of a signature has one limit for all workers', async () => {
  const server = await serve({ queueSize: 4, runThreads: 1, maxBatchSize: 1 }, 'slow');
  // {"x": [1], "steps": 5000}
  const sent = Uint8Array.of(0xa2, 0x61, 0x78, 0x81, 1, 0x65, ...Buffer.from('steps'), 0x19, 0x13, 0x88);
  const asked = { path: '/models/slow/infer', sent };
  const replies = await Promise.all(Array.from({ length: 40 }, () => ask(server, false, asked)));
  const refused = replies.filter(({ status }) => status === 503).length;
  const served = replies.filter(({ status }) => status === 200).length;
  expect(served + refused).toBe(40);
  // Each of the two workers runs one at a time.
  expect(served).toBeLessThanOrEqual(2 * (4 + 2));
  expect(served).toBeGreaterThan(0);
});

it('a profile that is refused leaves all requests to the thread that another profile is taken on', async () => {
  const server = await serve();
  const held = Reflect.get(workersOf(server), 'held') as { readonly passesAll: boolean };
  const profile = () => fetch(`${server.address}/debug/profile?seconds=3&kind=cpu`, { method: 'POST' });
  const first = profile();
  await until(() => held.passesAll, 'the first profile to begin');
  expect((await profile()).status).toBe(409);
  expect(held.passesAll).toBe(true);
  expect((await first).status).toBe(200);
  expect(held.passesAll).toBe(false);
});

it('a port that is taken is refused as with one event loop', async () => {
  const first = await serve();
  const { port } = new URL(first.address as string);
  const second = createServer({
    ...{ modelPath: repository.root, port: Number(port), workers: 2, rehearse: 'off', logLevel: 'silent' },
  });
  await expect(second.start()).rejects.toThrow(/EADDRINUSE/);
  await second.close();
});
