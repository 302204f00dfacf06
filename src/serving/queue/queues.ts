/**
 * Makes the queues before loaded models. It decides which slots their runs take, and which runs stay on the event loop.
 */
import type { InferenceModel } from '../../engines/inference-model.js';
import type { Signature } from '../../engines/signature.js';
import { type Loop, SharedNumbers } from '../../flow/shared-numbers.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Microseconds } from '../../time.js';
import type { Deployment, ServableId } from '../deployment.js';
import { Servable } from '../servable.js';
import { Batcher, queueWidth } from './batcher.js';
import type { BatchLimits, BatchVerdict } from './batching.js';
import { InlineRuns } from './inline.js';
import { Scheduler } from './scheduler.js';

/** The requests that a handler works on at once. Usually they wait for a run of the model behind it. */
const handledAtOnce = 64;

export interface QueuesOptions {
  /** The event loop that the queues belong to. */
  readonly loop: Loop;
  /** Shares the run slots of the event loop. */
  readonly scheduler: Scheduler;
  /** Runs that typically take at most this time are made on the event loop. */
  readonly inlineRunMicros: Microseconds;
  readonly logger: Logger;
}

/** A signature of a model that gets a queue. */
export interface Queued {
  readonly id: Pick<ServableId, 'model' | 'version'>;
  readonly model: InferenceModel;
  readonly signature: Signature;
  readonly verdict: BatchVerdict;
  /** The limits that files and flags set now. */
  readonly limits: () => BatchLimits;
  /** The memory of the numbers that the event loops share, if another one has made it. */
  readonly memory?: SharedArrayBuffer | undefined;
}

/** The verdict for a signature that nobody has checked. */
const unchecked: BatchVerdict = { sharing: 'declared', evidence: 'unchecked' };

export class Queues {
  /**
   * The scheduler of handlers. Handlers wait for runs of other models, so sharing their slots would make them wait for
   * themselves.
   */
  private readonly handled = new Scheduler(Number.MAX_SAFE_INTEGER);

  constructor(private readonly options: QueuesOptions) {}

  /** Makes a servable from what the control plane has loaded. */
  deploy(deployment: Deployment): Servable {
    const { id, model, batching, isHandled, queueMemory } = deployment;
    return new Servable(deployment, (signature, limits) => {
      const verdict = batching.get(signature.name) ?? unchecked;
      const memory = queueMemory?.get(signature.name);
      const queued: Queued = { id, model, signature, verdict, limits, memory };
      return isHandled ? this.beforeHandler(queued) : this.beforeModel(queued);
    });
  }

  /** Makes the queue before a model that an engine runs. */
  beforeModel({ id, model, signature, verdict, limits, memory }: Queued): Batcher {
    const { scheduler, inlineRunMicros } = this.options;
    const numbers = this.numbers(memory);
    const inline = new InlineRuns(model.whyNotInline(signature), inlineRunMicros, model.mode.xla);
    const onDisagreement = this.warning(id, signature);
    // The main thread has few requests of its own where there are workers.
    const loops = Math.max(1, this.options.loop.count - 1);
    return new Batcher(model, signature, {
      ...{ scheduler, inline, verdict, limits, onDisagreement, numbers, loops },
    });
  }

  /** Makes the queue before a handler, whose code says whether it takes batches. */
  private beforeHandler({ id, model, signature, verdict, limits, memory }: Queued): Batcher {
    const takesBatches = verdict.sharing !== 'alone';
    const inline = new InlineRuns(model.whyNotInline(signature), 0);
    return new Batcher(model, signature, {
      scheduler: this.handled,
      inline,
      verdict: takesBatches ? { ...verdict, sharing: 'declared' } : verdict,
      limits: takesBatches ? limits : () => ({ ...limits(), runsInFlight: handledAtOnce }),
      onDisagreement: this.warning(id, signature),
      numbers: this.numbers(memory),
    });
  }

  private numbers(memory: SharedArrayBuffer | undefined): SharedNumbers {
    const { loop } = this.options;
    return memory ? SharedNumbers.open(memory, loop) : SharedNumbers.make(loop, queueWidth);
  }

  private warning({ model, version }: Queued['id'], { name }: Signature): (why: string) => void {
    return (why) =>
      this.options.logger.warn(
        `${model} version ${version}: requests for \`${name}\` no longer share runs: ${why}`,
      );
  }
}
