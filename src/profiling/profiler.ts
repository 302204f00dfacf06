/**
 * Takes profiles of the server while it serves: of the event loop, and of the operations in runs. There is
 * one profile at a time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineRuntime } from '../engines/engine-runtime.js';
import { ServingError } from '../errors.js';
import type { Table } from '../serving/table.js';
import { inMilliseconds, type Seconds } from '../time.js';
import type { ChromeTrace } from './chrome-trace.js';
import { type CpuProfile, type CpuProfiling, startCpuProfile } from './cpu-profile.js';
import { StepRecorder } from './step-recorder.js';

export interface ProfileRequest {
  readonly seconds: Seconds;
  /** Asks for a profile of the event loop. */
  readonly cpu: boolean;
  /** Asks for a trace of operations. */
  readonly steps: boolean;
  /** Ends the profile early. The caller gets its reason. */
  readonly signal: AbortSignal;
}

/** The parts that were asked for. */
export interface Profile {
  readonly cpu: CpuProfile | undefined;
  readonly steps: ChromeTrace | undefined;
}

export class Profiler {
  private isBusy = false;

  /** @param table lists the models that are served now */
  constructor(
    private readonly runtime: EngineRuntime,
    private readonly table: () => Table,
  ) {}

  /** Says why this runtime cannot trace operations; undefined if it can. */
  get whyNoSteps(): string | undefined {
    const { runtime } = this;
    if (runtime.trace) return undefined;
    return runtime.whyNoTrace ?? `--runtime ${runtime.kind} gives no traces of operations`;
  }

  /**
   * Takes a profile.
   *
   * @throws ServingError (rejects) ABORTED while another profile is being taken, UNIMPLEMENTED where the runtime gives
   * no traces; the reason of the signal
   */
  async record(request: ProfileRequest): Promise<Profile> {
    if (request.steps && this.whyNoSteps !== undefined)
      throw new ServingError('UNIMPLEMENTED', this.whyNoSteps);
    if (this.isBusy) {
      throw new ServingError('ABORTED', 'another profile is being taken: ask again when it has ended');
    }
    this.isBusy = true;
    try {
      return await this.recordAlone(request);
    } finally {
      this.isBusy = false;
    }
  }

  private async recordAlone({ seconds, signal, ...wanted }: ProfileRequest): Promise<Profile> {
    const profiling: CpuProfiling | undefined = wanted.cpu ? await startCpuProfile() : undefined;
    const recorder = wanted.steps ? new StepRecorder(this.table, seconds) : undefined;
    let cpu: CpuProfile | undefined;
    try {
      this.runtime.trace?.(recorder);
      await delay(inMilliseconds(seconds), undefined, { signal });
    } catch {
      throw signal.reason;
    } finally {
      this.runtime.trace?.(undefined);
      cpu = await profiling?.stop();
    }
    return { cpu, steps: await recorder?.finish() };
  }
}
