/** Reads request bodies: once, into one buffer, and bounded before anything is allocated. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServingError } from '../../errors.js';
import type { Claim } from '../../flow/steps.js';
import { type Moment, now, type Seconds } from '../../time.js';
import { clientGone } from '../connection/finished.js';
import type { BodyMemory } from './body-memory.js';
import { ArrivingBody, type ByteBudget } from './byte-budget.js';
import { unpack, unpackerOf } from './unpack.js';

export interface BodyLimits {
  /** The most bytes of one body. */
  readonly maxBytes: number;
  /** True if no flag raises `maxBytes`. */
  readonly isFixed?: boolean;
  /** The time from the head to the last byte. */
  readonly timeout: Seconds;
  readonly budget: ByteBudget;
  readonly memory: BodyMemory;
}

/** A whole body, in memory out of the budget for bodies. */
export interface Body {
  /** The bytes, without a content encoding. They must not be changed, nor used after {@link release}. */
  readonly bytes: Uint8Array;
  /**
   * Takes more bytes out of the budget, for what the body becomes.
   *
   * @throws ServingError UNAVAILABLE if there is no room
   */
  readonly claim: Claim;
  /** Returns its share of the budget. The server calls it when the bytes are no longer used. */
  readonly release: () => void;
}

const nothing = new Uint8Array(0);

/** The bytes that a body of unknown length reserves at first. Each further step doubles them. */
const firstReservation = 64 * 1024;

/**
 * Reads the whole body.
 *
 * @throws ServingError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for an unknown encoding, UNAVAILABLE if the process
 * holds too many bytes already, REQUEST_TIMEOUT if the body comes too slowly, CANCELLED if the client leaves
 */
export function readBody(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<Body> {
  return new Promise((resolve, reject) => {
    const gone = () => body.giveUp(clientGone());
    const stop = () => req.off('close', gone).off('error', gone);
    const body = new IncomingBody(req, res, limits, {
      received: (received) => {
        stop();
        resolve(received);
      },
      failed: (error) => {
        stop();
        reject(error);
      },
    });
    req.on('close', gone).on('error', gone);
    body.read();
  });
}

/** Sends the line that clients with `Expect: 100-continue` wait for. They get it only once the body is wanted. */
function continueIfExpected(req: IncomingMessage, res: ServerResponse): void {
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

function tooLarge(limits: BodyLimits): ServingError {
  return largerThan('the body', limits);
}

function unpacksTooLarge(limits: BodyLimits): ServingError {
  return largerThan('what the body unpacks to', limits);
}

function largerThan(what: string, { maxBytes, isFixed }: BodyLimits): ServingError {
  const flag = isFixed ? '' : ' (--max-body-bytes)';
  return new ServingError('PAYLOAD_TOO_LARGE', `${what} is larger than ${maxBytes} bytes${flag}`);
}

/** Takes the result of reading a body. One of the two functions is called, once. */
export interface BodyReceiver {
  received(body: Body): void;
  failed(error: unknown): void;
}

/** A body on its way into one buffer. The buffer has the announced size, or grows within the limit. */
export class IncomingBody extends ArrivingBody implements Body {
  readonly started: Moment = now();
  reserved = 0;
  received = 0;
  private length: number | undefined;
  private memory: Buffer | undefined;
  private unpacked = 0;
  private isReleased = false;
  private isOver = false;
  private content: Uint8Array = nothing;

  constructor(
    private readonly req: IncomingMessage,
    private readonly res: ServerResponse,
    private readonly limits: BodyLimits,
    private readonly receiver: BodyReceiver,
  ) {
    super();
  }

  get timeout(): Seconds {
    return this.limits.timeout;
  }

  /** Begins to read. */
  read(): void {
    const { req, res, limits } = this;
    try {
      this.unpacker = unpackerOf(req.headers['content-encoding']);
      const announced = req.headers['content-length'];
      this.length = announced === undefined ? undefined : Number(announced);
      if (this.length !== undefined && this.length > limits.maxBytes) throw tooLarge(limits);
      this.reserve(this.length ?? Math.min(firstReservation, limits.maxBytes));
    } catch (error) {
      this.giveUp(error);
      return;
    }
    continueIfExpected(req, res);
    limits.budget.expect(this);
    req.on('data', this.add).on('end', this.finish);
  }

  get bytes(): Uint8Array {
    return this.content;
  }

  /** Ends the body before its end. */
  giveUp(error: unknown): void {
    if (this.isOver) return;
    this.stop();
    this.req.off('data', this.add).off('end', this.finish).pause();
    this.release();
    this.receiver.failed(error);
  }

  private unpacker: ReturnType<typeof unpackerOf>;

  private stop(): void {
    this.isOver = true;
    this.limits.budget.forget(this);
  }

  private reserve(size: number): void {
    this.limits.budget.reserve(size - this.reserved, this);
    this.reserved = size;
  }

  private readonly add = (chunk: Buffer): void => {
    const { limits } = this;
    const needed = this.received + chunk.length;
    if (this.received === 0 && needed === this.length) {
      // Usually the whole body comes in one piece.
      this.content = chunk;
    } else {
      try {
        this.memory ??= limits.memory.take(this.reserved);
        if (needed > this.memory.length) this.grow(this.memory, needed);
      } catch (error) {
        this.giveUp(error);
        return;
      }
      limits.memory.move(chunk, this.memory, this.received);
    }
    this.received = needed;
  };

  private grow(full: Buffer, needed: number): void {
    if (needed > this.limits.maxBytes) throw tooLarge(this.limits);
    const size = Math.min(Math.max(2 * full.length, needed), this.limits.maxBytes);
    this.reserve(size);
    const { memory } = this.limits;
    const larger = memory.take(size);
    larger.set(full.subarray(0, this.received));
    memory.giveBack(full);
    this.memory = larger;
  }

  private readonly finish = (): void => {
    if (this.length !== undefined && this.received < this.length) {
      this.giveUp(new ServingError('CANCELLED', 'the connection ended before the body did'));
      return;
    }
    this.stop();
    if (this.memory) this.content = this.memory.subarray(0, this.received);
    if (this.unpacker && this.received > 0) void this.unpack(this.unpacker);
    else this.receiver.received(this);
  };

  private async unpack(unpacker: NonNullable<ReturnType<typeof unpackerOf>>): Promise<void> {
    const { limits, claim, content } = this;
    try {
      this.content = await unpack(content, unpacker, {
        maxBytes: limits.maxBytes,
        claim,
        tooLarge: () => unpacksTooLarge(limits),
      });
    } catch (error) {
      this.release();
      this.receiver.failed(error);
      return;
    }
    this.receiver.received(this);
  }

  readonly claim: Claim = (bytes, kind) => {
    if (kind === 'unpacked') this.unpacked += bytes;
    if (this.unpacked > this.limits.maxBytes) throw unpacksTooLarge(this.limits);
    this.reserve(this.reserved + bytes);
  };

  readonly release = (): void => {
    if (this.isReleased) return;
    this.isReleased = true;
    this.limits.budget.release(this.reserved);
    this.reserved = 0;
    if (this.memory) this.limits.memory.giveBack(this.memory);
    this.memory = undefined;
  };
}
