/**
 * The table of hostile cases: what a stranger may send. Each runs against a real server with its default limits while somebody
 * else asks `/health/live`. To extend it, add a row here, or a body to
 * `test/fixtures/hostile-bodies.ts` or `oip-bodies.ts`.
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { hostileBodies } from '../fixtures/hostile-bodies.ts';
import type { TestServer } from '../fixtures/server.ts';
import { RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';
import { oipBodies } from './oip-bodies.ts';

export interface HostileCase {
  readonly name: string;
  /** Makes what is sent, which is not measured. @returns what sends it, and gives the statuses of the answers */
  prepare(server: TestServer): Promise<() => Promise<readonly number[]>>;
  /** What may be answered; nothing where the client leaves before. */
  readonly statuses: readonly number[];
  /** What the case may take beyond what it reserves. */
  readonly beyond?: Beyond;
}

interface Beyond {
  readonly mebibytes: number;
  readonly why: string;
}

/** Of a model that makes much of little. */
function outputs(mebibytes: number): Beyond {
  return { mebibytes, why: 'nobody reserves the outputs that a model makes' };
}

/** Of a model that gives back what came, up to 60 MiB of each request. */
function outputsOfBodies(times = 1): Beyond {
  return outputs(64 * times);
}

/** How an answer is taken. */
type Reading = 'all' | 'and left' | 'slowly';

interface Sent {
  readonly path: string;
  readonly body: Uint8Array;
  readonly type: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly reading?: Reading | undefined;
  /** Of the same request, one beside the other. */
  readonly times?: number | undefined;
}

/** Sends one request and takes its answer, which is not kept. */
export function send(
  server: TestServer,
  { path, body, type, accept, headers: others, reading = 'all' }: Sent,
): Promise<{ status: number; headers: IncomingHttpHeaders; bytes: number }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': type,
      ...(accept ? { accept } : {}),
      'content-length': body.length,
      ...others,
    };
    const agent = new Agent({ maxSockets: 1 });
    const req = request(`${server.url}${path}`, { method: 'POST', headers, agent }, (res) => {
      let bytes = 0;
      const done = () => {
        resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes });
        agent.destroy();
      };
      res.on('end', done).on('error', done);
      res.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (reading === 'and left') {
          req.destroy();
          done();
        } else if (reading === 'slowly' && bytes < 2 ** 22) {
          res.pause();
          setTimeout(() => res.resume(), 20);
        }
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function post(sent: Sent): HostileCase['prepare'] {
  return async (server) => async () => {
    const all = Array.from({ length: sent.times ?? 1 }, () => send(server, sent));
    return (await Promise.all(all)).map(({ status }) => status);
  };
}

const json = 'application/json';

/** Of outputs that a few bytes ask for. */
function fill(
  filling: string,
  dims: readonly number[],
  accept: string,
  {
    reading,
    times,
    statuses = [200],
  }: Partial<Pick<Sent, 'reading' | 'times'>> & { statuses?: number[] } = {},
): HostileCase {
  // TensorFlow has 24 bytes for a short string, and it is packed into 8 and its own.
  const bytesOf: Readonly<Record<string, number>> = { float32: 4, float16: 2, uint8: 1, string: 36 };
  const count = dims.reduce((product, dim) => product * dim, 1);
  return {
    name: `${accept} for ${times ? `${times} times ` : ''}${filling} [${dims}]${reading ? `, read ${reading}` : ''}`,
    prepare: post({
      path: `/models/fill_${filling}/infer`,
      body: Buffer.from(JSON.stringify({ inputs: { dims } })),
      ...{ type: json, accept, reading, times },
    }),
    statuses,
    beyond: outputs(((times ?? 1) * count * (bytesOf[filling] ?? 0)) / 2 ** 20),
  };
}

const answers: readonly HostileCase[] = [
  fill('uint8', [2 ** 24], json),
  fill('float32', [2 ** 22], json),
  fill('float16', [2 ** 21], `${json}; strict=true`),
  fill('float32', [2 ** 20, 1, 1, 1], json),
  fill('float32', [2 ** 20], json, { times: 8 }),
  fill('float32', [2 ** 24], json, { reading: 'and left' }),
  fill('float32', [2 ** 20], json, { reading: 'slowly' }),
  fill('uint8', [33_000_000], json, { statuses: [406] }),
  fill('float32', [10 ** 8], json, { statuses: [406] }),
  fill('float32', [10 ** 8], 'application/x-npz'),
  fill('float32', [10 ** 8], 'application/cbor'),
  fill('string', [2 ** 17], json),
  fill('string', [2 ** 17], 'application/cbor'),
  fill('string', [2 ** 17], 'application/x-npz'),
  fill('string', [2 ** 22], 'application/cbor'),
  fill('string', [2 ** 20], json),
  fill('string', [2 ** 24 + 1], json, { statuses: [406] }),
];

const longText: HostileCase = {
  name: `${json} of one text of 60 MB`,
  prepare: async (server) => {
    const body = Buffer.from(`{"inputs":{"x":"${'a'.repeat(60_000_000)}"},"signature":"string"}`);
    return post({ path: '/models/identity/infer', body, type: json, accept: json })(server);
  },
  statuses: [200],
  beyond: outputsOfBodies(),
};

/** Bodies that are announced and never end. */
function unfinished(path: string, type: string): HostileCase {
  return {
    name: `60 bodies of 7.9 MB without their last byte, for ${path}`,
    async prepare(server) {
      const length = 7_900_000;
      const part = Buffer.alloc(length - 1, '[');
      const head = [
        `POST ${path} HTTP/1.1`,
        'Host: localhost',
        `Content-Type: ${type}`,
        `Content-Length: ${length}`,
      ];
      return async () => {
        const all = await Promise.all(Array.from({ length: 60 }, () => RawConnection.open(server.url)));
        for (const each of all) {
          each.send(`${head.join('\r\n')}\r\n\r\n`);
          each.send(part);
        }
        await until(
          async () => ((await server.metric('tfjs_serving_inflight_bytes')) ?? 0) >= all.length * length,
          'all bodies to be counted',
        );
        for (const { socket } of all) socket.destroy();
        return [];
      };
    },
    statuses: [],
  };
}

/** Bodies for a handler's route, which koa-body parses at once. */
function forRoute(name: string, type: string, body: string): HostileCase {
  return {
    name: `a handler's route: ${name}`,
    prepare: post({ path: '/models/handled/echo', body: Buffer.from(body), type }),
    statuses: [200, 400, 413],
  };
}

const form = 'application/x-www-form-urlencoded';

const routes: readonly HostileCase[] = [
  forRoute('60 MB of [', json, '['.repeat(60_000_000)),
  forRoute('1 MB of [], and __proto__', json, `[${'[],'.repeat(340_000)}{"__proto__ ":1}]`),
  forRoute('30,000 [], and __proto__', json, `[${'[],'.repeat(30_000)}{"\\u005f_proto__":1}]`),
  forRoute('60,000 keys', json, `{${Array.from({ length: 60_000 }, (_, i) => `"${i}":0`)}}`),
  forRoute('60,000 fields of a form', form, Array.from({ length: 60_000 }, (_, i) => `a[${i}]=`).join('&')),
  forRoute('1 MB of [ in a form', form, `a${'[b]'.repeat(340_000)}=1`),
  forRoute('60 MB of bytes', 'application/octet-stream', ' '.repeat(60_000_000)),
];

/** Bodies, each to a model that would take it if it were as small as it looks. */
const bodies: readonly HostileCase[] = hostileBodies.map(
  ({ name, model, signature, make, times, statuses }) => ({
    name,
    prepare(server) {
      // A body says its signature itself if it can.
      const query = signature === undefined ? '' : `?signature=${signature}`;
      const { type, body } = make();
      const says = ['application/cbor', json].includes(type);
      return post({
        path: `/models/${model}/infer${says ? '' : query}`,
        body,
        type,
        accept: 'application/cbor',
        times,
      })(server);
    },
    statuses,
    beyond: outputsOfBodies(times),
  }),
);

const oip: readonly HostileCase[] = oipBodies.map(({ name, make, times, statuses }) => ({
  name: `/v2: ${name}`,
  prepare(server) {
    const { body, jsonLength } = make();
    return post({
      path: '/v2/models/identity/infer',
      body,
      type: jsonLength === undefined ? json : 'application/octet-stream',
      ...(jsonLength === undefined
        ? {}
        : { headers: { 'inference-header-content-length': String(jsonLength) } }),
      times,
    })(server);
  },
  statuses,
  beyond: outputsOfBodies(times),
}));

export const cases: readonly HostileCase[] = [
  ...answers,
  longText,
  ...routes,
  ...bodies,
  ...oip,
  unfinished('/models/identity/infer', json),
  unfinished('/models/handled/echo', json),
];
