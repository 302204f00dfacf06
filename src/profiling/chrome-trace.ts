/**
 * Spans of time as a file that chrome://tracing and Perfetto open.
 *
 * A track of spans is one process there. Spans that overlap are put on lanes, which are its threads: no two spans of a
 * lane overlap.
 */

export interface Span {
  readonly track: string;
  readonly name: string;
  /** Microseconds since the beginning of the trace. */
  readonly start: number;
  /** Microseconds. */
  readonly duration: number;
  /** What the viewer shows of it. */
  readonly args: Readonly<Record<string, string | number>>;
}

/** Complete events (`X`), and metadata events (`M`) that name the processes. */
interface TraceEvent {
  readonly ph: 'X' | 'M';
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly args: Readonly<Record<string, string | number>>;
}

/** The JSON object format of the trace event format. */
export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  /** Facts about the whole. */
  readonly otherData: Readonly<Record<string, string | number>>;
}

/** @param facts about the whole, which the viewer shows as metadata */
export function chromeTrace(spans: readonly Span[], facts: ChromeTrace['otherData']): ChromeTrace {
  const tracks = new Map<string, Span[]>();
  for (const span of spans) {
    const track = tracks.get(span.track);
    if (track) track.push(span);
    else tracks.set(span.track, [span]);
  }
  const traceEvents = [...tracks].flatMap(([name, track], i) => eventsOf(name, track, i + 1));
  return { traceEvents, displayTimeUnit: 'ms', otherData: facts };
}

function eventsOf(track: string, spans: readonly Span[], pid: number): TraceEvent[] {
  const events: TraceEvent[] = [{ ph: 'M', name: 'process_name', pid, tid: 0, args: { name: track } }];
  /** Where the last span of each lane ends. */
  const ends: number[] = [];
  for (const { name, start, duration, args } of spans.toSorted((a, b) => a.start - b.start)) {
    const free = ends.findIndex((end) => end <= start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = start + duration;
    events.push({ ph: 'X', name, pid, tid: lane + 1, ts: start, dur: duration, args });
  }
  return events;
}
