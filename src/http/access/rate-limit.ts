/**
 * Limits the requests of a key: so many a second, and so many at once after a pause.
 *
 * It is a bucket of tokens, of which one number is kept: the moment at which the bucket is full again. That number lies
 * in memory that the event loops of the process can share, so that they limit a key together. They do not wait for each
 * other. If two loops take at the very same moment, one of them may overwrite the other, and the key gets one request
 * too many.
 */
import type { Milliseconds, Moment } from '../../time.js';

export interface Rate {
  /** Requests a second, in the long run. */
  readonly perSecond: number;
  /** The requests that may come at once. */
  readonly burst: number;
}

export class RateLimit {
  /** The time between two requests. */
  private readonly interval: Milliseconds;
  /** The time in which an empty bucket becomes full. */
  private readonly span: Milliseconds;

  /** @param place has the moment at which the bucket is full again */
  constructor(
    private readonly rate: Rate,
    private readonly place: Float64Array,
  ) {
    this.interval = 1000 / rate.perSecond;
    this.span = rate.burst * this.interval;
  }

  /** Counts a request. @returns 0 if it may be answered, else the time after which one may */
  take(moment: Moment = processMoment()): Milliseconds {
    // A moment beyond a whole bucket is left from a lower rate.
    const full = Math.min(Math.max(this.place[0] as number, moment), moment + this.span);
    const wait = full + this.interval - this.span - moment;
    // Sums of fractions are off by a little.
    if (wait > 1e-6) return wait;
    this.place[0] = full + this.interval;
    return 0;
  }

  /** Says `5 requests a second, and 10 at once`. */
  toString(): string {
    const { perSecond, burst } = this.rate;
    return `${perSecond} requests a second, and ${burst} at once`;
  }
}

/** This moment, which is the same on all event loops of the process. `performance.now()` begins anew on each. */
function processMoment(): Moment {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The most keys with a rate that the process knows in its life. */
const mostPlaces = 4096;

/**
 * The places of the rates. A key has the same place on every event loop that has this memory, without a word between
 * them, and keeps it when the keys are read again.
 *
 * It is a table of hashes. A key that finds no place left gets one of its own: then each event loop limits it by itself.
 */
export class RateMemory {
  private readonly tags: BigInt64Array;
  private readonly moments: Float64Array;

  /** @param memory is that of another event loop, or all 0 */
  constructor(readonly memory = new SharedArrayBuffer(16 * mostPlaces)) {
    const count = memory.byteLength / 16;
    this.tags = new BigInt64Array(memory, 0, count);
    this.moments = new Float64Array(memory, 8 * count, count);
  }

  /** @param digest of a key, in hexadecimal */
  placeOf(digest: string): Float64Array {
    const { tags, moments } = this;
    // 0 marks a free place.
    const tag = BigInt.asIntN(64, BigInt(`0x${digest.slice(0, 16)}`)) || 1n;
    const start = Number(BigInt.asUintN(64, tag) % BigInt(tags.length));
    for (let i = 0; i < tags.length; i++) {
      const place = (start + i) % tags.length;
      const before = Atomics.compareExchange(tags, place, 0n, tag);
      if (before === 0n || before === tag) return moments.subarray(place, place + 1);
    }
    return new Float64Array(1);
  }
}
