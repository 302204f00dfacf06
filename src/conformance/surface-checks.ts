/** The checks of a surface. They ask a server over HTTP, which has a model that doubles `x`, and one that streams. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Engine } from '../engines/engine.js';
import type { Signature } from '../engines/signature.js';
import { type ErrorCode, errorCodes, httpStatusOf, type Remedy, ServingError } from '../errors.js';
import { DirectHead } from '../http/request/head.js';
import type { Surface } from '../http/surface.js';
import { createServer } from '../server.js';
import type { Source } from '../stores/source.js';
import { surfacesWith } from '../surfaces/surfaces.js';
import { inputOf, joinTensors } from '../tfjs/rows.js';
import { createTensor, type Tensor } from '../tfjs/tensors.js';
import { type Check, expectThat } from './check.js';

/** A request of the surface's protocol. */
export interface SurfaceRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** How clients of the surface ask, and what they read. */
export interface SurfaceExample {
  /** Asks a model for `[x]`: a batch of one row. Its input is `x`, float32 [-1, 2]. */
  request(model: string, x: readonly [number, number]): SurfaceRequest;
  /** A body under the same head that cannot be read. */
  readonly damaged: string;
  /** A path of the surface that leads nowhere. */
  readonly unknownPath: string;
  /** Reads the numbers of the output `y` from an answer. */
  numbersOf(body: Buffer): readonly number[];
  /** Reads the text for people from an error. */
  messageOf(body: Buffer): string;
  /** Reads the numbers of `y` in each answer of a stream. Left out, the surface has no form for streams. */
  streamedOf?: ((body: Buffer) => readonly (readonly number[])[]) | undefined;
}

/**
 * The checks of a surface. Each starts a server of its own.
 *
 * @param surface is one of an application's, or of the server's own
 */
export function surfaceChecks(surface: Surface, example: SurfaceExample): readonly Check[] {
  const check = (name: string, run: (asked: Asked) => Promise<void>): Check => ({
    name,
    run: () => withServer(surface, (address) => run(new Asked(surface, example, address))),
  });
  return [
    check('answers a request', (asked) => asked.answers()),
    check('answers requests that come together', (asked) => asked.answersTogether()),
    check('answers the same past Koa and through it', (asked) => asked.answersAlike()),
    check('has requests counted', (asked) => asked.isCounted()),
    check('gives the errors of requests its form', (asked) => asked.formsErrors()),
    check('has a form for every error', async (asked) => asked.formsAll()),
    check('streams, or refuses a model that does', (asked) => asked.streams()),
  ];
}

const key = 'a-key-of-the-checks';
const maxBodyBytes = 100_000;

/** The only file of the models: the handler of one, and the file that makes the other a model. */
const handler = 'handler.js';

const specs = (name: string) => new Map([[name, { name, dtype: 'float32', shape: [null, 2] } as const]]);

const signature: Signature = {
  name: 'serving_default',
  inputs: specs('x'),
  outputs: specs('y'),
  rows: { verdict: 'proven' },
};

/** Computes `y = 2x`. */
const doubling: Engine = {
  name: 'Doubling',
  format: { name: 'doubling', mainFiles: [handler], tellingFiles: [] },
  read: async () => ({
    ...{ signatures: new Map([[signature.name, signature]]), parameterCount: 0, byteLength: 0 },
    load: async () => ({
      async predict(_, members, options) {
        const made: Tensor[] = [];
        const x = joinTensors(inputOf('x', members), options?.padding, (tensor) => made.push(tensor));
        const doubled = Float32Array.from(x.dataSync(), (value) => 2 * value);
        const y = createTensor('float32', x.shape, new Uint8Array(doubled.buffer));
        for (const tensor of made) tensor.dispose();
        return { outputs: new Map([['y', y]]) };
      },
    }),
  }),
};

/** The answers of {@link streaming} to `[1, 2]`. */
const streamed = [
  [1, 2],
  [2, 4],
  [3, 6],
];

/** Streams `x`, `2x` and `3x`. */
const streaming = `
export const signature = { inputs: { x: { dtype: 'float32', shape: [-1, 2] } } };
export async function* predict({ x }) {
  for (let i = 1; i <= 3; i++) yield { y: x.mul(i) };
}`;

async function withServer(surface: Surface, use: (address: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-surface-'));
  const apiKeyFile = path.join(root, 'keys');
  await writeFile(apiKeyFile, `infer+metrics:${key}\n`);
  await writeFile(path.join(root, handler), streaming);
  const server = createServer({
    ...{ source: sourceIn(root), apiKeyFile, maxBodyBytes, engines: [doubling], allowHandlers: true },
    ...{ port: 0, host: '127.0.0.1', logLevel: 'silent' },
    surfaces: surfacesWith([]).includes(surface) ? [] : [surface],
  });
  try {
    await server.start();
    await use(server.address ?? '');
  } finally {
    await server.close();
    await rm(root, { recursive: true });
  }
}

/** A source with the two models. Each needs a place of its own, but they may share files. */
function sourceIn(directory: string): Source {
  const version = (place: string) => ({ version: 1, place, fingerprint: place, arrival: 'whole' }) as const;
  return {
    name: 'the checks of a surface',
    list: async () => ({
      models: [
        { name: 'doubling', versions: [version('doubling')] },
        { name: 'streaming', versions: [{ ...version('streaming'), handler }] },
      ],
      ...{ problems: [], unserved: [] },
    }),
    materialise: async () => ({ directory }),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

class Asked {
  constructor(
    private readonly surface: Surface,
    private readonly example: SurfaceExample,
    private readonly address: string,
  ) {}

  async answers(): Promise<void> {
    const answer = await this.ask(this.example.request('doubling', [1, -2.5]));
    this.expectDoubled(answer, [1, -2.5]);
    for (const name of ['content-type', 'x-request-id'])
      expectThat(answer.headers.get(name) !== null, `the header ${name}`, [...answer.headers.keys()]);
  }

  async answersTogether(): Promise<void> {
    const rows = Array.from({ length: 32 }, (_, i) => [i, i + 0.5] as const);
    const answers = await Promise.all(rows.map((row) => this.ask(this.example.request('doubling', row))));
    for (const [i, row] of rows.entries()) this.expectDoubled(answers[i] as Answer, row);
  }

  /** The fast entrance takes paths that are spelt the usual way, without a query. */
  async answersAlike(): Promise<void> {
    const { common } = this.surface;
    const request = this.example.request('doubling', [3, 4]);
    if (!common) return;
    expectThat(request.path === common.path('doubling'), 'a request that is common', request.path);
    const [past, through] = [
      await this.ask(request),
      await this.ask({ ...request, path: `${request.path}?` }),
    ];
    this.expectDoubled(past, [3, 4]);
    expectThat(past.body.equals(through.body), past.body.toString(), through.body.toString());
    const [type, other] = [past, through].map(({ headers }) => headers.get('content-type'));
    expectThat(type === other, `${type} through Koa`, other);
  }

  async isCounted(): Promise<void> {
    const before = await this.count();
    await this.ask(this.example.request('doubling', [1, 2]));
    const after = await this.count();
    expectThat(after === before + 1, 'one more request that is counted', after - before);
  }

  async formsErrors(): Promise<void> {
    const { damaged, unknownPath } = this.example;
    const request = this.example.request('doubling', [1, 2]);
    const unknown = this.example.request('nobody', [1, 2]);
    const headers = { ...request.headers };
    const cases: [what: string, status: number, ask: () => Promise<Answer>][] = [
      ['a damaged body', 400, () => this.ask({ ...request, body: damaged })],
      ['no key', 401, () => this.ask({ ...request, headers: { ...headers, 'x-api-key': 'another' } })],
      ['an unknown model', 404, () => this.ask(unknown)],
      ['an unknown path', 404, () => this.ask({ ...request, path: unknownPath })],
      ['a large body', 413, () => this.ask({ ...request, body: 'x'.repeat(2 * maxBodyBytes) })],
      [
        'another type',
        415,
        () => this.ask({ ...request, headers: { ...headers, 'content-type': 'text/x-none' } }),
      ],
    ];
    for (const [what, status, ask] of cases) {
      const answer = await ask();
      expectThat(answer.status === status, `${status} for ${what}`, answer.status);
      const message = this.example.messageOf(answer.body);
      expectThat(message !== '', `a message for ${what}`, answer.body.toString());
    }
    const { status, headers: given } = await this.ask(request, 'PUT');
    expectThat(
      status === 405 && given.get('allow') === 'POST',
      '405 that allows POST',
      `${status} ${given.get('allow')}`,
    );
  }

  /** This check needs no server, because some errors are rare. */
  formsAll(): void {
    const head = new DirectHead({
      method: 'POST',
      url: this.example.unknownPath,
      headers: {},
    } as IncomingMessage);
    for (const code of errorCodes)
      this.expectForm(code, this.surface.errorAnswer(head, new ServingError(code, 'what happened')));
    for (const remedy of remedies) {
      const error = new ServingError('UNAVAILABLE', 'what happened', { retryAfter: 7, remedy });
      const answer = this.surface.errorAnswer(head, error);
      this.expectForm(error.code, answer);
      const { headers } = answer;
      const place = headers.findIndex((name) => name.toLowerCase() === 'retry-after');
      expectThat(place >= 0 && headers[place + 1] === '7', 'the header retry-after with 7 seconds', headers);
    }
  }

  async streams(): Promise<void> {
    const { example } = this;
    const { status, body } = await this.ask(example.request('streaming', [1, 2]));
    if (!example.streamedOf) {
      expectThat(status === httpStatusOf.UNIMPLEMENTED, '501 for a stream, or `streamedOf`', status);
      expectThat(example.messageOf(body) !== '', 'a message', body.toString());
      return;
    }
    expectThat(status === 200, '200 for a stream', `${status} ${body}`);
    const [wanted, got] = [streamed, example.streamedOf(body)].map((rows) => JSON.stringify(rows));
    expectThat(got === wanted, `${wanted} in a stream`, got);
  }

  private expectDoubled({ status, body }: Answer, row: readonly number[]): void {
    expectThat(status === 200, '200', `${status} ${body}`);
    const [wanted, got] = [row.map((value) => 2 * value), this.example.numbersOf(body)];
    expectThat(got.join() === wanted.join(), JSON.stringify(wanted), got);
  }

  private expectForm(code: ErrorCode, { status, body }: ReturnType<Surface['errorAnswer']>): void {
    expectThat(status >= 400 && status < 600, `a status of an error for ${code}`, status);
    const bytes = Buffer.concat(body.parts);
    expectThat(bytes.length === body.byteLength, `${bytes.length} as \`byteLength\``, body.byteLength);
    const message = this.example.messageOf(bytes);
    expectThat(message.includes('what happened'), `the message of ${code}`, message);
  }

  private async ask({ path: at, headers = {}, body }: SurfaceRequest, method = 'POST'): Promise<Answer> {
    const response = await fetch(`${this.address}${at}`, {
      ...{ method, body },
      headers: { 'x-api-key': key, ...headers },
    });
    return {
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
    };
  }

  /** The number of answered requests for the model. */
  private async count(): Promise<number> {
    const response = await fetch(`${this.address}/metrics`, { headers: { 'x-api-key': key } });
    const series = /^inference_requests_total\{model="doubling",version="1",status="ok"\} (\d+)$/m;
    return Number(series.exec(await response.text())?.[1] ?? 0);
  }
}

const remedies: readonly Remedy[] = [
  { kind: 'name a model' },
  { kind: 'list models' },
  { kind: 'load', model: 'm' },
  { kind: 'look at a model', model: 'm' },
  { kind: 'send a dtype', dtype: 'bool', bytes: undefined },
  { kind: 'look at the paths', path: '/p' },
];
