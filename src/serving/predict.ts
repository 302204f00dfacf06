/** The one core call. Every surface decodes into it, and encodes what it returns. */

import type { CompositeSpec } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import type { Cancellable, Cancellation } from '../flow/cancellation.js';
import { Deadlines, Waiting } from '../flow/deadlines.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import type { Moment } from '../time.js';
import { Admitted, type ModelRequest } from './admitted.js';
import type { ServableId } from './deployment.js';
import type { Batcher } from './queue/batcher.js';
import type { BatchResult, QueuedRequest, QueueEntry, QueueOwner } from './queue/queue-entry.js';
import { explainUnevenRows } from './queue/row-counts.js';
import type { Table, Target } from './table.js';

export interface PredictRequest extends ModelRequest {
  readonly target: Target;
  /** When the caller stops waiting. */
  readonly deadline: Moment;
  /** Cancels the request when the caller leaves. It is not run if no run has taken it. */
  readonly cancellation: Cancellation;
  /** Who has sent it, if they may hold only a share of a queue. */
  readonly owner?: QueueOwner | undefined;
  /** The models whose handlers' calls it is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
  /** Called once nothing uses the inputs any more, which may be after the answer. */
  readonly settled?: (() => void) | undefined;
}

export interface PredictResult extends ServableId, BatchResult {
  /**
   * The sparse and ragged outputs of the signature, whose components are among the outputs; undefined if there are
   * none.
   */
  readonly composites: ReadonlyMap<string, CompositeSpec> | undefined;
}

/** All requests of the process share one timer. */
const deadlines = new Deadlines();

/**
 * Runs one request on the servable that the table has now. A later swap does not affect it.
 *
 * @throws ServingError (rejects) DEADLINE_EXCEEDED at the deadline, even if the run goes on; the reason of a
 * cancellation
 */
export function predict(table: Table, request: PredictRequest): Promise<PredictResult> {
  return new Promise((resolve, reject) => {
    new Call(request, resolve, reject).start(table);
  });
}

/** A request from its start to the end of its run, which may be after its answer. */
class Call extends Waiting implements QueuedRequest, Cancellable {
  private admitted: Admitted | undefined;
  private batcher: Batcher | undefined;
  private entry: QueueEntry | undefined;
  private answered = false;

  constructor(
    private readonly request: PredictRequest,
    private readonly resolve: (result: PredictResult) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super();
  }

  get inputs(): NamedTensors {
    return (this.admitted as Admitted).inputs;
  }

  get single(): boolean {
    return (this.admitted as Admitted).single;
  }

  get outputs(): readonly string[] | undefined {
    return this.admitted?.outputs;
  }

  get deadline(): Moment {
    return this.request.deadline;
  }

  get owner(): QueueOwner | undefined {
    return this.request.owner;
  }

  get callers(): readonly string[] | undefined {
    return this.request.callers;
  }

  start(table: Table): void {
    const { request } = this;
    try {
      const admitted = new Admitted(table.find(request.target), request);
      this.admitted = admitted;
      this.batcher = admitted.servable.batcher(admitted.signature);
      this.entry = this.batcher.submit(this);
    } catch (error) {
      this.failed(error);
      return;
    }
    deadlines.add(this);
    request.cancellation.follow(this);
  }

  expire(): void {
    this.cancel(tooLate);
  }

  succeeded({ outputs, queueMicros, runMicros, batchSize }: BatchResult): void {
    const { servable, signature } = this.admitted as Admitted;
    const { model, version, generation } = servable.id;
    const composites = signature.composites?.outputs;
    this.end();
    if (this.answered) disposeTensors(outputs);
    else this.resolve({ model, version, generation, outputs, composites, queueMicros, runMicros, batchSize });
    this.answered = true;
  }

  failed(error: unknown): void {
    const { answered, admitted } = this;
    // The inputs are still there.
    const reason =
      answered || !admitted ? error : explainUnevenRows(error, admitted.signature, admitted.inputs);
    this.end();
    if (!answered) this.reject(reason);
    this.answered = true;
  }

  /**
   * Answers now. If no run has taken the request, it is not run. Otherwise the run goes on, and its outputs are thrown
   * away.
   */
  cancel(makeReason: () => ServingError): void {
    if (this.answered) return;
    const { batcher, entry } = this;
    if (batcher && entry && batcher.withdraw(entry)) this.end();
    this.answered = true;
    this.reject(makeReason());
  }

  /** Ends the call. Nothing uses the inputs any more. */
  private end(): void {
    deadlines.delete(this);
    this.request.cancellation.end();
    this.admitted?.release();
    this.request.settled?.();
  }
}

function tooLate(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', 'the request was not answered within its time');
}
