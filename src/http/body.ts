/**
 * Reads request bodies: bounded before anything is allocated, once, into one buffer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Claim } from '../codec/steps.js';
import { ServingError } from '../errors.js';
import type { BodyMemory } from './body-memory.js';
import { Arrival, type ByteBudget } from './byte-budget.js';
import { clientGone } from './finished.js';
import { unpack, unpackerOf } from './unpack.js';

export interface BodyLimits {
  /** Bytes of one body. */
  readonly maxBytes: number;
  /** Seconds from the head to the last byte. */
  readonly timeout: number;
  readonly budget: ByteBudget;
  readonly memory: BodyMemory;
}

export interface Body {
  readonly bytes: Uint8Array;
  /** Takes more out of the budget, for what the body becomes. */
  readonly claim: Claim;
  /** Gives its share of the budget back; the caller does that when the bytes are no longer used. */
  release(): void;
}

/** What a body of unknown length reserves at first; each further step doubles it. */
const firstReservation = 64 * 1024;

/**
 * Reads the whole body.
 *
 * @throws ServingError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for one in an encoding that is not known, UNAVAILABLE if the process holds
 * too many bytes already, REQUEST_TIMEOUT if it comes too slowly, CANCELLED if the client goes away
 */
export async function readBody(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<Body> {
  const unpacker = unpackerOf(req.headers['content-encoding']);
  const announced = req.headers['content-length'];
  const length = announced === undefined ? undefined : Number(announced);
  if (length !== undefined && length > limits.maxBytes) throw tooLarge(limits);
  const collector = new Collector(req, limits, length);
  continueIfExpected(req, res);
  const body = await collector.collect();
  if (!unpacker || body.bytes.length === 0) return body;
  try {
    const { maxBytes } = limits;
    const { claim } = body;
    return {
      ...body,
      bytes: await unpack(body.bytes, unpacker, { maxBytes, claim, tooLarge: () => unpacksTooLarge(limits) }),
    };
  } catch (error) {
    body.release();
    throw error;
  }
}

/** Clients that sent `Expect: 100-continue` wait for this line; they get it only once the body is wanted. */
export function continueIfExpected(req: IncomingMessage, res: ServerResponse): void {
  if (expectsContinue(req) && !res.headersSent) res.writeContinue();
}

/** True if the head announces a body that is not empty. */
export function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}

/** True if the client holds its body back until it is asked for. */
export function expectsContinue(req: IncomingMessage): boolean {
  return req.headers.expect?.toLowerCase() === '100-continue';
}

function tooLarge({ maxBytes }: BodyLimits): ServingError {
  return new ServingError(
    'PAYLOAD_TOO_LARGE',
    `the body is larger than ${maxBytes} bytes (--max-body-bytes)`,
  );
}

export function unpacksTooLarge({ maxBytes }: BodyLimits): ServingError {
  return new ServingError(
    'PAYLOAD_TOO_LARGE',
    `what the body unpacks to is larger than ${maxBytes} bytes (--max-body-bytes)`,
  );
}

/** Takes chunks into one buffer: of exactly the announced size, or growing within the limit. */
class Collector extends Arrival {
  readonly started = performance.now();
  reserved = 0;
  received = 0;
  private buffer: Buffer;
  private settle: { resolve(body: Body): void; reject(error: unknown): void } | undefined;

  constructor(
    private readonly req: IncomingMessage,
    private readonly limits: BodyLimits,
    private readonly length: number | undefined,
  ) {
    super();
    const size = length ?? Math.min(firstReservation, limits.maxBytes);
    this.reserve(size);
    this.buffer = limits.memory.take(size);
  }

  get timeout(): number {
    return this.limits.timeout;
  }

  /** The whole body. Rejects as `readBody` does. */
  collect(): Promise<Body> {
    const { req, limits } = this;
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      limits.budget.expect(this);
      req
        .on('data', this.add)
        .on('end', this.finish)
        .on('close', this.clientGone)
        .on('error', this.clientGone);
    });
  }

  giveUp(error: unknown): void {
    this.stop();
    this.req.pause();
    this.release();
    this.settle?.reject(error);
  }

  private stop(): void {
    const { req, limits } = this;
    limits.budget.forget(this);
    req
      .off('data', this.add)
      .off('end', this.finish)
      .off('close', this.clientGone)
      .off('error', this.clientGone);
  }

  private reserve(size: number): void {
    this.limits.budget.reserve(size - this.reserved, this);
    this.reserved = size;
  }

  private readonly add = (chunk: Buffer): void => {
    const needed = this.received + chunk.length;
    try {
      if (needed > this.buffer.length) this.grow(needed);
    } catch (error) {
      this.giveUp(error);
      return;
    }
    this.limits.memory.move(chunk, this.buffer, this.received);
    this.received = needed;
  };

  private grow(needed: number): void {
    if (needed > this.limits.maxBytes) throw tooLarge(this.limits);
    const size = Math.min(Math.max(2 * this.buffer.length, needed), this.limits.maxBytes);
    this.reserve(size);
    const { memory } = this.limits;
    const larger = memory.take(size);
    larger.set(this.buffer.subarray(0, this.received));
    memory.giveBack(this.buffer);
    this.buffer = larger;
  }

  private readonly finish = (): void => {
    if (this.length !== undefined && this.received < this.length) {
      this.giveUp(new ServingError('CANCELLED', 'the connection ended before the body did'));
      return;
    }
    this.stop();
    let isReleased = false;
    let unpacked = 0;
    this.settle?.resolve({
      bytes: this.buffer.subarray(0, this.received),
      claim: (bytes, kind) => {
        if (kind === 'unpacked') unpacked += bytes;
        if (unpacked > this.limits.maxBytes) throw unpacksTooLarge(this.limits);
        this.reserve(this.reserved + bytes);
      },
      release: () => {
        if (!isReleased) this.release();
        isReleased = true;
      },
    });
  };

  private readonly clientGone = (): void => {
    this.giveUp(clientGone());
  };

  /** Called once. */
  private release(): void {
    this.limits.budget.release(this.reserved);
    this.reserved = 0;
    this.limits.memory.giveBack(this.buffer);
  }
}
