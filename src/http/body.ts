/**
 * Reads request bodies: bounded before anything is allocated, once, into one buffer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { quoted, ServingError } from '../errors.js';
import type { BodyMemory } from './body-memory.js';
import type { ByteBudget } from './byte-budget.js';

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
  /** Gives its share of the budget back; the caller does that when the bytes are no longer used. */
  release(): void;
}

/** What a body of unknown length reserves at first; each further step doubles it. */
const firstReservation = 64 * 1024;

/**
 * Reads the whole body.
 *
 * @throws ServingError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for a compressed one, UNAVAILABLE if the process holds
 * too many bytes already, REQUEST_TIMEOUT if it comes too slowly, CANCELLED if the client goes away
 */
export async function readBody(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<Body> {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ServingError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-encoding ${quoted(encoding)} is not supported: send the body as it is`,
    );
  }
  const announced = req.headers['content-length'];
  const length = announced === undefined ? undefined : Number(announced);
  if (length !== undefined && length > limits.maxBytes) throw tooLarge(limits);
  const sink = new Sink(limits, length);
  try {
    continueIfExpected(req, res);
    await collect(req, sink, limits.timeout);
    return sink.finish();
  } catch (error) {
    sink.release();
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

/** @param timeout seconds */
export function tooSlow(timeout: number): ServingError {
  return new ServingError('REQUEST_TIMEOUT', `the body did not arrive within ${timeout} s (--body-timeout)`);
}

/** Takes chunks into one buffer: of exactly the announced size, or growing within the limit. */
class Sink {
  private buffer: Buffer;
  private position = 0;
  private reserved = 0;

  constructor(
    private readonly limits: BodyLimits,
    private readonly length: number | undefined,
  ) {
    const size = length ?? Math.min(firstReservation, limits.maxBytes);
    this.reserve(size);
    this.buffer = limits.memory.take(size);
  }

  private reserve(size: number): void {
    this.limits.budget.reserve(size - this.reserved);
    this.reserved = size;
  }

  add(chunk: Buffer): void {
    const needed = this.position + chunk.length;
    if (needed > this.buffer.length) this.grow(needed);
    this.limits.memory.move(chunk, this.buffer, this.position);
    this.position = needed;
  }

  private grow(needed: number): void {
    if (needed > this.limits.maxBytes) throw tooLarge(this.limits);
    const size = Math.min(Math.max(2 * this.buffer.length, needed), this.limits.maxBytes);
    this.reserve(size);
    const { memory } = this.limits;
    const larger = memory.take(size);
    larger.set(this.buffer.subarray(0, this.position));
    memory.giveBack(this.buffer);
    this.buffer = larger;
  }

  finish(): Body {
    if (this.length !== undefined && this.position < this.length) {
      throw new ServingError('CANCELLED', 'the connection ended before the body did');
    }
    let released = false;
    return {
      bytes: this.buffer.subarray(0, this.position),
      release: () => {
        if (!released) this.release();
        released = true;
      },
    };
  }

  /** Called once. */
  release(): void {
    this.limits.budget.release(this.reserved);
    this.reserved = 0;
    this.limits.memory.giveBack(this.buffer);
  }
}

function collect(req: IncomingMessage, sink: Sink, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(tooSlow(timeout)), timeout * 1000);
    const onData = (chunk: Buffer) => {
      try {
        sink.add(chunk);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = () => {
      stop();
      resolve();
    };
    const onClose = () => fail(new ServingError('CANCELLED', 'the client closed the connection'));
    function stop(): void {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
    }
    function fail(error: unknown): void {
      stop();
      req.pause();
      reject(error);
    }
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}
