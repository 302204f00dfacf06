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
  /** Requests per second, and what the times of their arrival are drawn from; or connections that ask without a pause. */
  readonly load: { readonly rate: number; readonly seed: number } | { readonly connections: number };
  /** Seconds that a request is given, by `X-Request-Timeout`; an answer after that is no good one. */
  readonly deadline: number;
  /** Seconds of load before the window that is looked at, and seconds of the window. */
  readonly leadIn: number;
  readonly seconds: number;
}

/** Milliseconds. The client shares the cores with the server, and may itself be late. */
export interface Latencies {
  /** From the time at which the request should have left. */
  readonly scheduled: Quantiles;
  /** From the time at which it was written. */
  readonly written: Quantiles;
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** Of the window. Kinds of answers are of the requests that should have left in it, whenever they were answered. */
export interface Outcome {
  /** Requests per second that should have left, and that did. */
  readonly wanted: number;
  readonly offered: number;
  /** Answers of 200 per second that came in the window and within their deadline. */
  readonly goodput: number;
  readonly requests: number;
  /** Answered 200 (also too late), 503 and 504. */
  readonly accepted: number;
  readonly rejected: number;
  readonly timedOut: number;
  /** Other answers, connections that broke or could not be made, requests that nobody answered. */
  readonly failed: number;
  readonly broken: number;
  readonly unanswered: number;
  readonly acceptedLatencies: Latencies;
  readonly rejectedLatencies: Latencies;
  /** How late requests were written, in milliseconds: the 99th percentile. */
  readonly lag: number;
  /** The most connections that were open. */
  readonly connections: number;
  /** CPU that this client took for a request, in seconds. */
  readonly clientCpu: number;
}

/** Times are in milliseconds since the start of the load. */
interface Request {
  readonly scheduled: number;
  written: number;
  ended: number;
  /** 0 until there is one. */
  status: number;
}

/**
 * More than wait in a server's queue and are being refused: where all of them wait, new ones would be no use. What is due
 * then is late, and the rate is not offered.
 */
const mostOpen = 1024;

/** In place of a status. */
const brokenConnection = -1;

const plan: Plan = JSON.parse(process.argv[2] ?? '');
const { hostname, port, pathname } = new URL(plan.url);
const message = requestBytes();
const requests: Request[] = [];
const idle: Connection[] = [];
let openConnections = 0;
let mostConnections = 0;
/** What a connection does once it is answered. */
let whenFree: (connection: Connection) => void = (connection) => idle.push(connection);
const start = performance.now();

class Connection {
  private readonly socket: Socket;
  private request: Request | undefined;
  private head: Buffer | undefined;
  /** Bytes of the body that are still to come, once the head is there. */
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
    // A refusal may come before all of the request has left.
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

/** Each connection asks again as soon as it is answered. */
async function closedLoop(connections: number, milliseconds: number): Promise<void> {
  whenFree = (connection) => {
    if (now() < milliseconds) ask(now(), connection);
    else idle.push(connection);
  };
  for (let i = 0; i < connections; i++) ask(now(), new Connection());
  await sleep(milliseconds);
}

/** Requests leave at their times, each on a connection that is free or on a new one; at the end, what is late stays here. */
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
 * Arrivals of a Poisson process, as it is when the number of them is known: each at a time of its own, all times alike. So
 * the lead-in and the window each have just the rate that is wanted.
 */
function arrivals(rate: number, seed: number): Float64Array {
  const random = mulberry32(seed);
  const { leadIn, seconds } = plan;
  const [early, inWindow] = [Math.round(rate * leadIn), Math.round(rate * seconds)];
  return Float64Array.from({ length: early + inWindow }, (_, i) =>
    i < early ? random() * leadIn * 1000 : (leadIn + random() * seconds) * 1000,
  ).sort();
}

/** Tommy Ettinger's generator of 32 bits: the same numbers for the same seed. */
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
// What is under way is answered by its deadline, or never.
const patience = now() + plan.deadline * 1000 + 2000;
while (now() < patience && openConnections > idle.length) await sleep(20);
const outcome = summary((user + system) / 1e6);
for (const connection of [...idle]) connection.destroy();
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
