/**
 * Bounds the bytes of bodies that the process holds at once, while they are read or wait for their run.
 *
 * The room for a body is taken before the body is read. When there is no room left, bodies that are too slow to arrive
 * in time are given up. So a client cannot hold memory until `--body-timeout` by announcing much and sending little.
 */
import { ServingError } from '../../errors.js';
import { Deadlines, Waiting } from '../../flow/deadlines.js';
import { onlyLoop, SharedNumbers } from '../../flow/shared-numbers.js';
import {
  inMilliseconds,
  type Milliseconds,
  type Moment,
  momentAfter,
  now,
  type Seconds,
} from '../../time.js';

/** A body on its way. */
export abstract class ArrivingBody extends Waiting {
  /** When its head was there. */
  abstract readonly started: Moment;
  /** How long it may take. */
  abstract readonly timeout: Seconds;
  /** The bytes that it has taken from the budget. */
  abstract readonly reserved: number;
  abstract readonly received: number;
  /** Returns its bytes at once, and answers the client with the error. */
  abstract giveUp(error: ServingError): void;

  get deadline(): Moment {
    return momentAfter(this.timeout, this.started);
  }

  expire(): void {
    this.giveUp(tooSlow(this.timeout));
  }

  /** True if at its present rate the rest would come too late. */
  isBehind(moment: Moment): boolean {
    const elapsed = moment - this.started;
    return elapsed > patience && this.received * inMilliseconds(this.timeout) < this.reserved * elapsed;
  }
}

/** No body counts as slow before this time. */
const patience: Milliseconds = 1000;

export class ByteBudget {
  private readonly arrivals = new Deadlines<ArrivingBody>();

  /**
   * @param total is the bytes for the whole process
   * @param numbers has in its first column the bytes that each event loop has taken
   */
  constructor(
    private readonly total: number,
    private readonly numbers: SharedNumbers = SharedNumbers.make(onlyLoop, 1),
  ) {}

  /** The bytes that are taken now, by all event loops together. */
  get reserved(): number {
    return this.numbers.total(0);
  }

  /**
   * Takes bytes from the budget before they are read.
   *
   * @param body wants them, and is not given up for itself
   * @throws ServingError UNAVAILABLE if they are not left
   */
  reserve(bytes: number, body: ArrivingBody): void {
    if (this.reserved + bytes > this.total) this.makeRoom(bytes, body);
    if (this.reserved + bytes > this.total) {
      throw new ServingError('UNAVAILABLE', 'too many request bytes are under way (--max-inflight-bytes)', {
        retryAfter: 1,
      });
    }
    this.take(bytes);
  }

  /** Returns bytes. */
  release(bytes: number): void {
    this.take(-bytes);
  }

  private take(bytes: number): void {
    const { mine } = this.numbers;
    mine[0] = (mine[0] as number) + bytes;
  }

  /** Starts the body's deadline. From now on it may be given up to make room. */
  expect(arrival: ArrivingBody): void {
    this.arrivals.add(arrival);
  }

  /** Stops watching a body that has arrived or was given up. */
  forget(arrival: ArrivingBody): void {
    this.arrivals.delete(arrival);
  }

  /** Gives up slow bodies until there is room. Those that began first come first. */
  private makeRoom(bytes: number, body: ArrivingBody): void {
    this.giveUpSlow(gaveWay, (arrival) => arrival !== body && this.reserved + bytes > this.total);
  }

  /** Gives up bodies that are too slow, oldest first. @param isMeant returns false for bodies to leave out */
  giveUpSlow(reason: () => ServingError, isMeant: (arrival: ArrivingBody) => boolean = () => true): void {
    const moment = now();
    for (const arrival of this.arrivals) {
      if (!isMeant(arrival) || !arrival.isBehind(moment)) continue;
      this.arrivals.delete(arrival);
      arrival.giveUp(reason());
    }
  }
}

function tooSlow(timeout: Seconds): ServingError {
  return new ServingError('REQUEST_TIMEOUT', `the body did not arrive within ${timeout} s (--body-timeout)`);
}

function gaveWay(): ServingError {
  return new ServingError(
    'REQUEST_TIMEOUT',
    'the body came too slowly to arrive in time (--body-timeout), and others wanted its room (--max-inflight-bytes)',
  );
}
