/**
 * A trace of the runs that begin while it records: which operations ran, when, on which device, for which model.
 *
 * A traced run is slower than others, and what TensorFlow records of it grows with its operations. So a model's runs are
 * traced here and there over the whole time, up to a number, and what all of them record together is bounded.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { InferenceModel, RunTracer, TracedRun } from '../engines/inference-model.js';
import type { Signature } from '../engines/signature.js';
import { type OpRun, readOpRuns } from '../engines/tensorflow/proto/step-stats.js';
import type { ServableId } from '../serving/deployment.js';
import type { Table } from '../serving/table.js';
import { type ChromeTrace, chromeTrace, type Span } from './chrome-trace.js';

/** Traced runs of one version of a model. */
const maxRuns = 100;
/** Bytes that TensorFlow may record of one run: some ten thousand operations. */
const maxRunBytes = 4 * 2 ** 20;
/** And of all runs together. */
const maxBytes = 16 * 2 ** 20;

/** What a viewer shows of a run and of each of its operations. */
interface Label {
  readonly run: number;
  readonly model: string;
  readonly version: number;
  readonly signature: string;
  /** Rows, without padding. */
  readonly batch_size: number;
}

interface Recorded {
  readonly label: Label;
  readonly metadata: Uint8Array;
}

/** A version of a model that has run. */
interface Subject {
  readonly id: ServableId;
  begun: number;
  /** One of its runs recorded too much: the next would as well. */
  isTooLarge: boolean;
}

export class StepRecorder implements RunTracer {
  private readonly started = performance.now();
  /** In milliseconds since 1970, as TensorFlow counts. */
  private readonly origin = Date.now();
  private readonly subjects = new Map<InferenceModel, Subject>();
  private readonly recorded: Recorded[] = [];
  private begun = 0;
  private tooLarge = 0;
  private bytes = 0;

  /**
   * @param table what is served now: only runs of its models are traced
   * @param seconds for how long it will record
   */
  constructor(
    private readonly table: () => Table,
    private readonly seconds: number,
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
      ended: (metadata) => {
        if (metadata) {
          this.bytes += metadata.length;
          this.recorded.push({ label, metadata });
        } else {
          subject.isTooLarge = true;
          this.tooLarge += 1;
        }
      },
    };
  }

  /** The trace of the runs that have ended. Reads them one by one, so that the event loop goes on. */
  async finish(): Promise<ChromeTrace> {
    const recorded = [...this.recorded];
    const spans: Span[] = [];
    for (const { label, metadata } of recorded) {
      spans.push(...toSpans(label, readOpRuns(metadata, this.origin)));
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
      for (const { loaded, id } of available.values()) {
        if (loaded !== model) continue;
        const subject = { id, begun: 0, isTooLarge: false };
        this.subjects.set(model, subject);
        return subject;
      }
    }
    return undefined;
  }

  /** One at once, and then the share of all that may have begun by now. */
  private hasRoom({ begun, isTooLarge }: Subject): boolean {
    const share = (performance.now() - this.started) / (this.seconds * 1000);
    return !isTooLarge && this.bytes < maxBytes && begun < maxRuns && begun <= maxRuns * share;
  }
}

/** A run's operations on their devices, and the run itself, which lasts as long as they do. */
function toSpans(label: Label, ops: readonly OpRun[]): Span[] {
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
