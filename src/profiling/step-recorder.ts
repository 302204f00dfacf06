/**
 * Traces runs while it records: which operations ran, when, on which device, and for which model.
 *
 * A traced run is slower than others, and its trace grows with its operations. So the traced runs of a model are spread
 * over the whole time, their number is bounded, and so are the bytes of all traces together.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { InferenceModel } from '../engines/inference-model.js';
import type { OperationRun, RunRecord, RunTracer, TracedRun } from '../engines/run-tracer.js';
import type { Signature } from '../engines/signature.js';
import type { ServableId } from '../serving/deployment.js';
import type { Table } from '../serving/table.js';
import { type Moment, now, type Seconds, secondsSince, type WallTime } from '../time.js';
import { type ChromeTrace, chromeTrace, type Span } from './chrome-trace.js';

/** The most traced runs of one version of a model. */
const maxRuns = 100;
/** The most bytes that an engine may record of one run. They hold some ten thousand operations. */
const maxRunBytes = 4 * 2 ** 20;
/** The most bytes of all runs together. */
const maxBytes = 16 * 2 ** 20;

/** What the viewer shows of a run and of each of its operations. */
interface Label {
  readonly run: number;
  readonly model: string;
  readonly version: number;
  readonly signature: string;
  /** The number of rows, without padding. */
  readonly batch_size: number;
}

interface Recorded {
  readonly label: Label;
  readonly record: RunRecord;
}

/** A version of a model that has run. */
interface Subject {
  readonly id: ServableId;
  begun: number;
  /** True if a run recorded too much. The next run would record too much as well. */
  isTooLarge: boolean;
}

export class StepRecorder implements RunTracer {
  private readonly started: Moment = now();
  /** The beginning, in milliseconds since 1970. */
  private readonly origin: WallTime = Date.now();
  private readonly subjects = new Map<InferenceModel, Subject>();
  private readonly recorded: Recorded[] = [];
  private begun = 0;
  private tooLarge = 0;
  private bytes = 0;

  /**
   * @param table lists what is served now: only runs of its models are traced
   * @param seconds is how long it will record
   */
  constructor(
    private readonly table: () => Table,
    private readonly seconds: Seconds,
  ) {}

  begin(model: InferenceModel, signature: Signature, batchSize: number): TracedRun | undefined {
    const subject = this.subjects.get(model) ?? this.find(model);
    if (!subject || !this.hasRoom(subject)) return undefined;
    subject.begun += 1;
    this.begun += 1;
    const { model: name, version } = subject.id;
    const label = { run: this.begun, model: name, version, signature: signature.name, batch_size: batchSize };
    return {
      maxBytes: maxRunBytes,
      ended: (record) => {
        if (record) {
          this.bytes += record.byteLength;
          this.recorded.push({ label, record });
        } else {
          subject.isTooLarge = true;
          this.tooLarge += 1;
        }
      },
    };
  }

  /** Makes the trace of the runs that have ended. It reads them one by one, with pauses for the event loop. */
  async finish(): Promise<ChromeTrace> {
    const recorded = [...this.recorded];
    const spans: Span[] = [];
    for (const { label, record } of recorded) {
      spans.push(...toSpans(label, record.operations(this.origin)));
      await turn();
    }
    return chromeTrace(spans, {
      traced_runs: recorded.length,
      runs_with_too_many_operations: this.tooLarge,
      runs_that_failed_or_go_on: this.begun - recorded.length - this.tooLarge,
    });
  }

  private find(model: InferenceModel): Subject | undefined {
    for (const { available } of this.table().models.values()) {
      for (const servable of available.values()) {
        if (servable.model !== model) continue;
        const subject = { id: servable.id, begun: 0, isTooLarge: false };
        this.subjects.set(model, subject);
        return subject;
      }
    }
    return undefined;
  }

  /**
   * True if another run may be traced now: the first one at once, and then in proportion to the time that has passed.
   */
  private hasRoom({ begun, isTooLarge }: Subject): boolean {
    const share = secondsSince(this.started) / this.seconds;
    return !isTooLarge && this.bytes < maxBytes && begun < maxRuns && begun <= maxRuns * share;
  }
}

/** The spans of a run: its operations on their devices, and the run itself, which lasts as long as they do. */
function toSpans(label: Label, ops: readonly OperationRun[]): Span[] {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  const spans = ops.map(({ device, name, op, start: opStart, duration }): Span => {
    start = Math.min(start, opStart);
    end = Math.max(end, opStart + duration);
    return { track: device, name, start: opStart, duration, args: { op, ...label } };
  });
  if (spans.length === 0) return spans;
  const { model, version, signature } = label;
  const name = `${model} ${version} ${signature}`;
  return [{ track: 'runs', name, start, duration: end - start, args: { ...label } }, ...spans];
}
