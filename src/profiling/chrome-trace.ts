/**
 * Writes spans of time as a file that chrome://tracing and Perfetto open.
 *
 * A track becomes a process of the viewer, and its lanes become the threads. Two spans that overlap are put on
 * different lanes.
 */

export interface Span {
  readonly track: string;
  readonly name: string;
  /** When it begins, in microseconds since the beginning of the trace. */
  readonly start: number;
  /** How long it lasts, in microseconds. */
  readonly duration: number;
  /** The facts that the viewer shows. */
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

/** The JSON object form of the trace event format. */
export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  /** Facts about the whole trace. */
  readonly otherData: Readonly<Record<string, string | number>>;
}

/** @param facts describe the whole trace; the viewer shows them as metadata */
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
  /** When the last span of each lane ends. */
  const ends: number[] = [];
  for (const { name, start, duration, args } of spans.toSorted((a, b) => a.start - b.start)) {
    const free = ends.findIndex((end) => end <= start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = start + duration;
    events.push({ ph: 'X', name, pid, tid: lane + 1, ts: start, dur: duration, args });
  }
  return events;
}
