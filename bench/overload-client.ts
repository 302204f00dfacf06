/**
 * The load of `overload.ts`, in a process of its own. Either requests arrive at random times, at a fixed rate, whether or
 * not those before them were answered; or, to find the peak, so many connections each ask again as soon as they are answered.
 *
 * It shares the cores with the server, so it does the least that will do: sockets, one prebuilt request, one request at a
 * time on a connection, connections that are kept and used again, as many as there are requests unanswered, and of an
 * answer only the status and the length.
 *
 *   node bench/overload-client.ts PLAN
 *
 * The plan is JSON, and so is the one line that it prints.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { quantile } from './statistics.ts';

export interface Plan {
  readonly url: string;
  readonly bodyFile: string;
  /** A number of requests per second with a seed for their times, or connections that ask without a pause. */
  readonly load: { readonly rate: number; readonly seed: number } | { readonly connections: number };
  /** The seconds that a request has, sent as `X-Request-Timeout`. A later answer does not count as good. */
  readonly deadline: number;
  /** The seconds of load before the measured window, and the seconds of the window. */
  readonly leadIn: number;
  readonly seconds: number;
}

/** In milliseconds. The client shares the cores with the server, and may itself be late. */
export interface Latencies {
  /** From the time at which the request should have been sent. */
  readonly scheduled: Quantiles;
  /** From the time at which it was written. */
  readonly written: Quantiles;
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/**
 * The results of the window. The kinds of answers count the requests that should have been sent in it, whenever they
 * were answered.
 */
export interface Outcome {
  /** The requests per second that should have been sent, and that were. */
  readonly wanted: number;
  readonly offered: number;
  /** The answers of 200 per second that came in the window and before their deadline. */
  readonly goodput: number;
  readonly requests: number;
  /** The answers of 200 (even too late), 503 and 504. */
  readonly accepted: number;
  readonly rejected: number;
  readonly timedOut: number;
  /** Other answers, connections that broke or could not be made, and requests without an answer. */
  readonly failed: number;
  readonly broken: number;
  readonly unanswered: number;
  readonly acceptedLatencies: Latencies;
  readonly rejectedLatencies: Latencies;
  /** The 99th percentile of how late requests were written, in milliseconds. */
  readonly lag: number;
  /** The most connections that were open. */
  readonly connections: number;
  /** The CPU seconds that this client took for a request. */
  readonly clientCpu: number;
}

/** A request. Times are in milliseconds since the start of the load. */
interface Request {
  readonly scheduled: number;
  written: number;
  ended: number;
  /** The status; 0 until there is one. */
  status: number;
}

/**
 * The most open connections. It is more than wait in a server's queue and are being refused. If all of them wait, new
 * ones would not help: requests that are due are then late, and the rate is not reached.
 */
const mostOpen = 1024;

/** Stands in place of a status. */
const brokenConnection = -1;

const plan: Plan = JSON.parse(process.argv[2] ?? '');
const { hostname, port, pathname } = new URL(plan.url);
const message = requestBytes();
const requests: Request[] = [];
const idle: Connection[] = [];
let openConnections = 0;
let mostConnections = 0;
/** What a connection does once it has its answer. */
let whenFree: (connection: Connection) => void = (connection) => idle.push(connection);
const start = performance.now();

class Connection {
  private readonly socket: Socket;
  private request: Request | undefined;
  private head: Buffer | undefined;
  /** The bytes of the body that are still to come, once the head is there. */
  private missing: number | undefined;
  private status = 0;
  private isLast = false;

  constructor() {
    openConnections += 1;
    mostConnections = Math.max(mostConnections, openConnections);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.on('connect', () => this.write());
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.closed());
  }

  send(request: Request): void {
    this.request = request;
    if (!this.socket.connecting) this.write();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private write(): void {
    if (!this.request) return;
    this.request.written = now();
    this.socket.write(message);
  }

  private take(chunk: Buffer): void {
    if (this.missing === undefined) {
      const bytes = this.head ? Buffer.concat([this.head, chunk]) : chunk;
      const end = bytes.indexOf('\r\n\r\n');
      this.head = bytes;
      if (end < 0) return;
      const head = bytes.toString('latin1', 0, end);
      this.head = undefined;
      this.status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
      if (Number.isNaN(length)) throw new Error(`an answer without a length: ${head}`);
      this.isLast = /\r\nconnection: *close/i.test(head);
      this.missing = length - (bytes.length - end - 4);
    } else {
      this.missing -= chunk.length;
    }
    if (this.missing === 0) this.answered();
  }

  private answered(): void {
    this.missing = undefined;
    this.end(this.status);
    if (this.isLast) {
      this.socket.destroy();
      return;
    }
    // A refusal may come before the whole request has been sent.
    if (this.socket.writableNeedDrain) this.socket.once('drain', () => whenFree(this));
    else whenFree(this);
  }

  private closed(): void {
    openConnections -= 1;
    this.end(brokenConnection);
    const place = idle.indexOf(this);
    if (place >= 0) idle.splice(place, 1);
  }

  private end(status: number): void {
    if (!this.request) return;
    this.request.ended = now();
    this.request.status = status;
    this.request = undefined;
  }
}

function now(): number {
  return performance.now() - start;
}

function requestBytes(): Buffer {
  const body = readFileSync(plan.bodyFile);
  const head = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    'content-type: application/cbor',
    `content-length: ${body.length}`,
    `x-request-timeout: ${plan.deadline}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

function ask(scheduled: number, connection: Connection): void {
  const request = { scheduled, written: Number.NaN, ended: Number.NaN, status: 0 };
  requests.push(request);
  connection.send(request);
}

/** Each connection asks again as soon as it has its answer. */
async function closedLoop(connections: number, milliseconds: number): Promise<void> {
  whenFree = (connection) => {
    if (now() < milliseconds) ask(now(), connection);
    else idle.push(connection);
  };
  for (let i = 0; i < connections; i++) ask(now(), new Connection());
  await sleep(milliseconds);
}

/**
 * Sends requests at their times, each on a free connection or a new one. Requests that are late at the end are not
 * sent.
 */
async function openLoop(times: Float64Array, milliseconds: number): Promise<void> {
  let next = 0;
  const isDue = () => next < times.length && (times[next] as number) <= now();
  whenFree = (connection) => {
    if (isDue()) ask(times[next++] as number, connection);
    else idle.push(connection);
  };
  while (next < times.length && now() < milliseconds) {
    while (isDue() && (idle.length > 0 || openConnections < mostOpen))
      ask(times[next++] as number, idle.pop() ?? new Connection());
    await sleep((times[next] ?? 0) - now());
  }
  whenFree = (connection) => idle.push(connection);
}

/**
 * The times of a Poisson process with a known number of arrivals: independent and uniform. So the lead-in and the
 * window each have exactly the wanted rate.
 */
function arrivals(rate: number, seed: number): Float64Array {
  const random = mulberry32(seed);
  const { leadIn, seconds } = plan;
  const [early, inWindow] = [Math.round(rate * leadIn), Math.round(rate * seconds)];
  return Float64Array.from({ length: early + inWindow }, (_, i) =>
    i < early ? random() * leadIn * 1000 : (leadIn + random() * seconds) * 1000,
  ).sort();
}

/** Tommy Ettinger's generator of 32 bits. The same seed gives the same numbers. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function summary(clientCpu: number): Outcome {
  const [from, to] = [plan.leadIn * 1000, (plan.leadIn + plan.seconds) * 1000];
  const inWindow = (time: number) => time >= from && time < to;
  const own = requests.filter(({ scheduled }) => inWindow(scheduled));
  const withStatus = (status: number) => own.filter((request) => request.status === status);
  const good = requests.filter(
    ({ status, scheduled, ended }) =>
      status === 200 && inWindow(ended) && ended - scheduled <= plan.deadline * 1000,
  );
  const [accepted, rejected, timedOut] = [withStatus(200), withStatus(503), withStatus(504)];
  const written = requests.filter((request) => inWindow(request.written));
  return {
    wanted: 'rate' in load ? Math.round(load.rate * plan.seconds) / plan.seconds : own.length / plan.seconds,
    offered: written.length / plan.seconds,
    goodput: good.length / plan.seconds,
    requests: own.length,
    accepted: accepted.length,
    rejected: rejected.length,
    timedOut: timedOut.length,
    failed: own.length - accepted.length - rejected.length - timedOut.length,
    broken: withStatus(brokenConnection).length,
    unanswered: withStatus(0).length,
    acceptedLatencies: latencies(accepted),
    rejectedLatencies: latencies(rejected),
    lag: quantile(
      own.map((request) => request.written - request.scheduled),
      0.99,
    ),
    connections: mostConnections,
    clientCpu: clientCpu / requests.length,
  };
}

function latencies(answered: readonly Request[]): Latencies {
  const quantiles = (times: readonly number[]) => ({ p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
  return {
    scheduled: quantiles(answered.map(({ scheduled, ended }) => ended - scheduled)),
    written: quantiles(answered.map(({ written, ended }) => ended - written)),
  };
}

const { load } = plan;
const milliseconds = (plan.leadIn + plan.seconds) * 1000;
const before = process.cpuUsage();
if ('rate' in load) await openLoop(arrivals(load.rate, load.seed), milliseconds);
else await closedLoop(load.connections, milliseconds);
const { user, system } = process.cpuUsage(before);
// A request under way is answered by its deadline, or never.
const patience = now() + plan.deadline * 1000 + 2000;
while (now() < patience && openConnections > idle.length) await sleep(20);
const outcome = summary((user + system) / 1e6);
for (const connection of [...idle]) connection.destroy();
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
