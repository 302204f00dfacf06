/**
 * Says how long a version's files must stay the same before it is loaded. If it came to its place as a whole, it is
 * `--settle`. If its files came one by one, it is longer, because a copy may stall between two files, or within one.
 */
import type { ArrivalFacts } from '../../stores/source.js';
import type { Milliseconds, Moment, WallTime } from '../../time.js';

/** A version that was copied must be quiet for this many times `--settle`. */
export const copyPatience = 5;

/** It must also be quiet for this many times the longest pause within the copy. */
const pausePatience = 2;

/** A longer gap is no pause of one copy: somebody came back later to overwrite files. */
const longestPause: Milliseconds = 60_000;

/** How far the clock of a network mount may be off. */
const clockSkew: Milliseconds = 60_000;

/** The system stamps files with the time of its last tick, up to 10 ms ago. */
const tick: Milliseconds = 20;

/** What the facts mean. */
export interface Arrival {
  /** `whole` means that it was put into its place in one piece, was untouched for long, or was said to be complete. */
  readonly kind: 'whole' | 'copied';
  /** How long it must stay the same. */
  readonly needs: Milliseconds;
  /** The longest time between two changes of the copy. */
  readonly pause: Milliseconds;
}

/** What was known of the version before it was found in its present state. */
export interface Earlier {
  readonly fingerprint: string;
  readonly identity?: string | undefined;
  readonly model?: string | undefined;
  /** When its last change was seen. */
  readonly since: Moment;
  readonly quiet: boolean;
  readonly arrival?: Arrival | undefined;
}

export interface ArrivalOptions {
  /** the moment of the scan, by both clocks. */
  readonly moment: Moment;
  readonly wall: WallTime;
  readonly settle: Milliseconds;
  /** When everything was last scanned. */
  readonly scannedAt: WallTime | undefined;
  /** True for the first scan: a whole version needs no second one. */
  readonly atStart: boolean;
  /** True if its marker is there. */
  readonly marked: boolean;
}

/** The arrival of a version that its source shows only when all of it is there. */
export const cameAtOnce: Arrival = { kind: 'whole', needs: 0, pause: 0 };

/**
 * @param fingerprint of the version as it is now
 * @param facts of the version as it is now
 * @param earlier is undefined if its place was empty
 */
export function arrivalOf(
  fingerprint: string,
  facts: ArrivalFacts,
  earlier: Earlier | undefined,
  options: ArrivalOptions,
): Arrival {
  const { moment, settle, atStart, marked } = options;
  const whole: Arrival = { kind: 'whole', needs: atStart ? 0 : settle, pause: 0 };
  const patience = copyPatience * settle;
  if (marked) return whole;
  if (!earlier || (facts.identity !== undefined && facts.identity !== earlier.identity))
    return cameWhole(facts, options) ? whole : { kind: 'copied', needs: patience, pause: 0 };
  if (fingerprint === earlier.fingerprint) return earlier.arrival ?? whole;
  // Somebody edits its handler.
  if (earlier.quiet && facts.model !== undefined && facts.model === earlier.model)
    return { ...whole, needs: settle };
  const latest = moment - earlier.since;
  const before = earlier.quiet ? 0 : (earlier.arrival?.pause ?? 0);
  const pause = Math.max(before, latest <= longestPause ? latest : 0);
  return { kind: 'copied', needs: Math.max(patience, pausePatience * pause), pause };
}

function cameWhole(facts: ArrivalFacts, { wall, settle, scannedAt, atStart }: ArrivalOptions): boolean {
  const { clock, changedAt, placedAt, madeAt } = facts;
  if (placedAt !== undefined && placedAt >= changedAt) return true;
  // The folder is older than the last scan, which did not see it here. So it was moved in.
  const wasElsewhere = madeAt !== undefined && scannedAt !== undefined && madeAt + tick < scannedAt;
  if (wasElsewhere && scannedAt <= wall) return true;
  const untouched = wall - changedAt;
  if (clock === 'own') return untouched >= copyPatience * settle;
  // While it runs, the server sees changes itself.
  return atStart && untouched >= copyPatience * settle + clockSkew;
}
