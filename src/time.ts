/**
 * Times whose type names their unit, so that a number of one unit is not taken for one of another. A plain number is
 * accepted for any unit. So a unit is named once, where a time is declared.
 */
declare const unit: unique symbol;
type InUnit<Unit extends string> = number & { readonly [unit]?: Unit };

export type Seconds = InUnit<'seconds'>;
export type Milliseconds = InUnit<'milliseconds'>;
export type Microseconds = InUnit<'microseconds'>;

/** A moment of the monotonic clock, in milliseconds. */
export type Moment = InUnit<'moment'>;

/** A moment that other machines and files have, too: milliseconds since 1970. */
export type WallTime = InUnit<'wall time'>;

/** This moment. */
export function now(): Moment {
  return performance.now();
}

export function inMilliseconds(seconds: Seconds): Milliseconds {
  return seconds * 1000;
}

export function inMicros(milliseconds: Milliseconds): Microseconds {
  return milliseconds * 1000;
}

/** The moment that comes so many seconds after another one, or after now. */
export function momentAfter(seconds: Seconds, start: Moment = now()): Moment {
  return start + seconds * 1000;
}

export function secondsSince(start: Moment): Seconds {
  return (now() - start) / 1000;
}

export function microsSince(start: Moment): Microseconds {
  return (now() - start) * 1000;
}

/** The seconds until a moment. They are below 0 once it has passed. */
export function secondsUntil(end: Moment): Seconds {
  return (end - now()) / 1000;
}
