/**
 * Reloads of every kind under traffic, with every request and answer written down, and a checker that goes through
 * the record afterwards.
 */
import { rename, rm, truncate, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Decoder } from 'cbor-x';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';

/** One request of a client, as it was sent and answered. Times are of one monotonic clock. */
interface Exchange {
  readonly client: number;
  readonly sent: number;
  readonly status: number | 'lost';
  readonly version: number;
  readonly generation: number;
  /** What was added to each element, and what the model says it adds. */
  readonly offsets: readonly number[];
  readonly text: string;
}

/** A call of /update_model that pinned a version and was answered 200. */
interface Pinned {
  readonly version: number;
  readonly answered: number;
  /** When the pin was next touched. */
  until: number;
}

export interface TortureOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly clients: number;
}

export interface TortureResult {
  readonly exchanges: readonly Exchange[];
  readonly changes: number;
  /** What must not have happened; empty if all is well. */
  readonly violations: readonly string[];
  readonly history: readonly string[];
  readonly sessionsLeft: number | undefined;
  readonly tensorsLeft: number | undefined;
}

/** Fewer versions than this would show little. */
export const enoughVersions = 4;
/** Seconds that are added for them at most. */
const longer = 60;

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/** mulberry32: the same seed makes the same changes. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

class Torture {
  private readonly exchanges: Exchange[] = [];
  private readonly pins: Pinned[] = [];
  /** The offsets that were ever published under a version's number. */
  private readonly published = new Map([[1, new Set([1])]]);
  private readonly violations: string[] = [];
  /** What was done and when, for whoever looks into a violation. */
  private readonly history: string[] = [];
  private readonly answering = new Set<number>();
  private readonly random: () => number;
  private nextVersion = 2;
  private nextOffset = 2;
  private changes = 0;
  private stopped = false;

  constructor(
    private readonly repository: TestRepository,
    private readonly server: TestServer,
    private readonly options: TortureOptions,
  ) {
    this.random = randomFrom(options.seed);
  }

  async run(): Promise<TortureResult> {
    const clients = Array.from({ length: this.options.clients }, (_, client) => this.ask(client));
    const end = performance.now() + this.options.seconds * 1000;
    // The changes are drawn: a pin may have one version answer for long. A slow machine gets time to see some swaps.
    const patience = end + longer * 1000;
    while (
      performance.now() < end ||
      (this.answering.size < enoughVersions && performance.now() < patience)
    ) {
      await this.change();
      await delay(this.random() * 200);
    }
    this.touchPin();
    await this.server.update({ model: 'versioned', version: 'latest' });
    this.stopped = true;
    await Promise.all(clients);
    this.check();
    return {
      exchanges: this.exchanges,
      changes: this.changes,
      violations: this.violations,
      history: this.history,
      sessionsLeft: await this.settled('tfjs_serving_native{kind="sessions"}', 1),
      tensorsLeft: await this.settled('tfjs_serving_tensors', 0),
    };
  }

  /** Reads a metric until it is as expected, for a while. */
  private async settled(name: string, expected: number): Promise<number | undefined> {
    let value = await this.server.metric(name);
    for (let i = 0; i < 100 && value !== expected; i++) {
      await delay(50);
      value = await this.server.metric(name);
    }
    return value;
  }

  private note(version: number, offset: number): void {
    const offsets = this.published.get(version) ?? new Set();
    this.published.set(version, offsets.add(offset));
  }

  private async publishNew(): Promise<string> {
    const version = this.nextVersion++;
    const offset = this.nextOffset++;
    this.note(version, offset);
    await this.repository.publish(version, { offset });
    return `published ${version}`;
  }

  private async change(): Promise<void> {
    this.changes += 1;
    const kinds = [
      () => this.publishNew(),
      () => this.publishNew(),
      () => this.publishDamaged(),
      () => this.overwrite(),
      () => this.remove(),
      () => this.pin(),
      () => this.unpin(),
      () => this.server.update({ timeout: 5 }).then(() => 'looked'),
    ];
    const began = performance.now();
    const what = await kinds[Math.floor(this.random() * kinds.length)]?.();
    this.history.push(`${Math.round(began)} to ${Math.round(performance.now())}: ${what}`);
  }

  private async publishDamaged(): Promise<string> {
    const version = this.nextVersion++;
    const staged = await this.repository.stage(version, { offset: -1 });
    const file = ['saved_model.pb', 'variables/variables.index', 'variables/variables.data-00000-of-00001'];
    await truncate(path.join(staged, file[Math.floor(this.random() * file.length)] as string), 3);
    await rename(staged, this.repository.path('versioned', version));
    return `published ${version}, damaged`;
  }

  /** In place, under a server that serves it: the file is swapped by rename, as rsync does. */
  private async overwrite(): Promise<string> {
    const version = this.someVersion();
    const offset = this.nextOffset++;
    this.note(version, offset);
    const asset = this.repository.path('versioned', version, 'assets', 'offset.txt');
    await writeFile(`${asset}.tmp`, String(offset)).catch(() => {});
    await rename(`${asset}.tmp`, asset).catch(() => {});
    return `overwrote ${version}`;
  }

  private async remove(): Promise<string> {
    const version = this.someVersion();
    const trash = this.repository.path(`.trash-${this.changes}`);
    await rename(this.repository.path('versioned', version), trash).catch(() => {});
    await rm(trash, { recursive: true, force: true });
    return `removed ${version}`;
  }

  private someVersion(): number {
    const published = [...this.published.keys()].slice(-4);
    return published[Math.floor(this.random() * published.length)] as number;
  }

  private async pin(): Promise<string> {
    const version = this.someVersion();
    this.touchPin();
    const { status } = await this.server.update({ model: 'versioned', version, timeout: 10 });
    if (status === 200)
      this.pins.push({ version, answered: performance.now(), until: Number.POSITIVE_INFINITY });
    return `pin to ${version}: ${status}`;
  }

  private async unpin(): Promise<string> {
    this.touchPin();
    const { status } = await this.server.update({ model: 'versioned', version: 'latest', timeout: 10 });
    return `unpin: ${status}`;
  }

  private touchPin(): void {
    const last = this.pins.at(-1);
    if (last) last.until = Math.min(last.until, performance.now());
  }

  /** A client with a connection of its own, so that what is said of a connection can be checked. */
  private async ask(client: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const x = client + 1;
    const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x82, x, x + 1);
    while (!this.stopped) {
      const exchange = await this.exchange(client, agent, body, x);
      this.exchanges.push(exchange);
      if (exchange.status === 200) this.answering.add(exchange.version);
    }
    agent.destroy();
  }

  private exchange(client: number, agent: Agent, body: Uint8Array, x: number): Promise<Exchange> {
    const sent = performance.now();
    return new Promise((resolve) => {
      const lost = (text: string) =>
        resolve({ client, sent, status: 'lost', version: 0, generation: 0, offsets: [], text });
      // Half of the clients go past Koa, the others through it.
      const accept = client % 2 === 0 ? 'application/cbor' : 'application/json';
      const headers = { 'content-type': 'application/cbor', accept };
      const call = request(
        `${this.server.url}/models/versioned/infer`,
        { method: 'POST', agent, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', (error) => lost(String(error)));
          response.on('end', () => {
            const answer = readAnswer(accept, Buffer.concat(chunks));
            const { version = 0, generation = 0, outputs } = answer;
            const offsets = outputs ? [outputs.y[0] - x, outputs.y[1] - x - 1, outputs.version_offset] : [];
            const text = JSON.stringify(answer);
            resolve({ client, sent, status: response.statusCode ?? 0, version, generation, offsets, text });
          });
        },
      );
      call.on('error', (error) => lost(String(error)));
      call.end(body);
    });
  }

  private check(): void {
    const offsetOf = new Map<string, number>();
    for (const exchange of this.exchanges) {
      const { status, version, generation, offsets, text } = exchange;
      if (status !== 200) {
        this.violations.push(`failed: ${status} ${text}`);
        continue;
      }
      const [offset = Number.NaN] = offsets;
      const loaded = `${version} generation ${generation}`;
      if (offsets.some((each) => each !== offset)) this.violations.push(`mixed: ${text}`);
      if (!this.published.get(version)?.has(offset)) this.violations.push(`never published: ${text}`);
      if ((offsetOf.get(loaded) ?? offset) !== offset)
        this.violations.push(`two answers of version ${loaded}: ${text}`);
      offsetOf.set(loaded, offset);
    }
    for (const exchanges of this.byClient()) {
      for (const [i, { sent, version }] of exchanges.entries()) {
        // Sent and answered while a pin held: the client's next request was sent before the pin was touched.
        const answered = exchanges[i + 1]?.sent ?? Number.POSITIVE_INFINITY;
        const pin = this.pins.find((each) => sent > each.answered && answered < each.until);
        if (pin && pin.version !== version)
          this.violations.push(
            `pinned to ${pin.version}, and answered by ${version} at ${Math.round(answered)}`,
          );
      }
    }
  }

  private byClient(): Exchange[][] {
    const clients = Array.from({ length: this.options.clients }, (): Exchange[] => []);
    for (const exchange of this.exchanges) clients[exchange.client]?.push(exchange);
    return clients;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
function readAnswer(accept: string, body: Buffer): any {
  if (accept === 'application/json') return JSON.parse(body.toString());
  const answer = decoder.decode(body);
  if (!answer.outputs) return answer;
  // RFC 8746: tag 40 [shape, typed array].
  const [y, offset] = [answer.outputs.y.value[1], answer.outputs.version_offset.value[1]];
  return { ...answer, outputs: { y: [...y], version_offset: offset[0] } };
}

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const repository = await TestRepository.create();
  let server: TestServer | undefined;
  try {
    await repository.publish(1, { offset: 1 });
    server = await TestServer.start({
      args: ['--model-path', repository.root, '--settle', '0.02', '--scan-interval', '1'],
    });
    return await new Torture(repository, server, options).run();
  } finally {
    await server?.stop();
    await repository.remove();
  }
}
