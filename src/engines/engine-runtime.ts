/** What runs the models of this process, as routes and metrics see it. TensorFlow's runtime is one. */
import type { ComputeMode } from './inference-model.js';
import type { RunTracer } from './run-tracer.js';

export interface EngineRuntime {
  /** Its name among those of `--runtime`. */
  readonly kind: string;
  /** The versions of what it is made of, by name: `tensorflow`. */
  readonly versions: Readonly<Record<string, string>>;
  /** What models run on. */
  readonly device: 'cpu' | 'gpu';
  /** How models are computed. */
  readonly mode: ComputeMode;

  /**
   * Traces the runs that begin from now on as the tracer says; without one it stops tracing. It is absent if the
   * runtime cannot trace.
   */
  trace?(tracer: RunTracer | undefined): void;

  /** Says why the runtime cannot trace; undefined if it can. */
  readonly whyNoTrace?: string | undefined;

  /** What the runtime holds now: sessions, runs, tensors. All are zero when it is idle. */
  counters(): Readonly<Record<string, number>>;
}
