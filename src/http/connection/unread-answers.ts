/**
 * Bounds the bytes of answers that the process holds for clients that have not taken them.
 *
 * An answer is sent as fast as its client reads, and is in memory until then. When room is needed, clients are cut off
 * that would not be done within `--body-timeout` at their present rate. Bodies on their way in have the same rule.
 */
import type { Socket } from 'node:net';
import { ServingError } from '../../errors.js';
import { Linked, List } from '../../flow/list.js';
import { onlyLoop, SharedNumbers } from '../../flow/shared-numbers.js';
import { inMilliseconds, type Milliseconds, type Moment, now, type Seconds } from '../../time.js';
import { takenFrom, type Unacknowledged } from './taken-bytes.js';

/** Answers of fewer bytes are not refused. The number of connections may bound them. */
const smallBytes = 2 ** 16;

/** No client counts as slow before this time. */
const patience: Milliseconds = 1000;

export interface UnreadLimits {
  /** The most bytes, for the whole process. A single answer may be larger. */
  readonly maxBytes: number;
  /** How long a client may take to read an answer. */
  readonly timeout: Seconds;
  /**
   * The bytes of outputs that are not disposed yet. All outputs of a shared run stay until its slowest client has its
   * rows.
   */
  readonly outputBytes: () => number;
  readonly unacknowledged: Unacknowledged | undefined;
}

export class UnreadAnswers {
  private readonly answers = new List<UnreadAnswer>();

  /** @param numbers has in its first column the bytes that wait on each event loop */
  constructor(
    private readonly limits: UnreadLimits,
    private readonly numbers: SharedNumbers = SharedNumbers.make(onlyLoop, 1),
  ) {}

  /** The bytes of the answers that have not left, on all event loops together. */
  get held(): number {
    return this.numbers.total(0);
  }

  /**
   * Makes room for an answer before it is sent, by cutting off clients that are too slow.
   *
   * @throws ServingError UNAVAILABLE if there is no room
   */
  makeRoom(bytes: number): void {
    if (bytes < smallBytes || this.fits(bytes)) return;
    // Cutting off a client frees its outputs only in the next turn of the event loop, so we count them here.
    let freed = 0;
    const fits = (cutOff: number) => {
      freed += cutOff;
      return this.fits(bytes, freed);
    };
    if (this.cutOffSlow(fits)) return;
    throw new ServingError(
      'UNAVAILABLE',
      'too many bytes of answers wait for their clients to read them (--max-inflight-bytes)',
      { retryAfter: 1 },
    );
  }

  /**
   * Cuts off clients that are too slow, oldest answer first.
   *
   * @param isEnough gets the bytes of each answer that is given up, and may stop this
   * @returns true if it did
   */
  cutOffSlow(isEnough: (bytes: number) => boolean = () => false): boolean {
    const moment = now();
    for (const answer of this.answers) {
      if (!answer.isBehind(moment, this.limits.timeout)) continue;
      this.forget(answer);
      answer.socket.destroy();
      if (isEnough(answer.bytes)) return true;
    }
    return false;
  }

  private fits(bytes: number, freed = 0): boolean {
    const { maxBytes, outputBytes } = this.limits;
    return this.answers.size === 0 || Math.max(this.held + bytes, outputBytes() - freed) <= maxBytes;
  }

  /** Counts an answer that did not leave at once. @returns a function that ends this */
  add(socket: Socket, bytes: number): () => void {
    const answer = new UnreadAnswer(socket, bytes, this.limits.unacknowledged);
    this.answers.add(answer);
    this.count(bytes);
    return () => this.forget(answer);
  }

  private forget(answer: UnreadAnswer): void {
    if (this.answers.delete(answer)) this.count(-answer.bytes);
  }

  private count(bytes: number): void {
    const { mine } = this.numbers;
    mine[0] = (mine[0] as number) + bytes;
  }
}

class UnreadAnswer extends Linked {
  private readonly started: Moment = now();
  private readonly takenBefore: number;

  constructor(
    readonly socket: Socket,
    readonly bytes: number,
    private readonly unacknowledged: Unacknowledged | undefined,
  ) {
    super();
    this.takenBefore = takenFrom(socket, unacknowledged);
  }

  /** True if at its present rate the client would take the rest too late. */
  isBehind(moment: Moment, timeout: Seconds): boolean {
    const elapsed = moment - this.started;
    const taken = takenFrom(this.socket, this.unacknowledged) - this.takenBefore;
    return elapsed > patience && taken * inMilliseconds(timeout) < this.bytes * elapsed;
  }
}
