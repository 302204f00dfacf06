/** A request in a queue: what its caller passes in, and its place there. */
import type { Signature } from '../../engines/signature.js';
import { Linked } from '../../flow/list.js';
import type { NamedTensors } from '../../tfjs/tensors.js';
import { type Microseconds, type Moment, now } from '../../time.js';

/** Who may hold only a share of a queue. */
export interface QueueOwner {
  readonly id: string;
  /** More than 0, up to 1. */
  readonly queueShare: number;
}

export interface QueuedRequest {
  /**
   * The inputs as the graph takes them, with the batch dim. They belong to the caller, and must live until the answer
   * is there.
   */
  readonly inputs: NamedTensors;
  /** True for one sample: the batch dim is removed from the outputs. */
  readonly single: boolean;
  /** The outputs to return; all by default. */
  readonly outputs: readonly string[] | undefined;
  /** After this moment, the request is not run any more. */
  readonly deadline: Moment;
  /** Who has sent it, if they may hold only a share of the queue. */
  readonly owner?: QueueOwner | undefined;
  /** The models whose handlers' calls it is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
  /** One of these two is called once, unless the request is withdrawn in time. */
  succeeded(result: BatchResult): void;
  failed(error: unknown): void;
}

export interface BatchResult {
  /** The outputs, which the caller disposes. */
  readonly outputs: NamedTensors;
  /** The time until a run took the request. */
  readonly queueMicros: Microseconds;
  /** The time in that run. */
  readonly runMicros: Microseconds;
  /** The rows of its batch, without padding. */
  readonly batchSize: number;
}

/** A request in the queue, or in a run. */
export class QueueEntry extends Linked {
  /** The rows of its first input. */
  readonly rows: number;
  /** Requests with the same key may share a batch: they ask for the same outputs, and the rows of each input have one shape. */
  readonly key: string;
  readonly enqueued: Moment = now();
  /** True if all its inputs have that many rows. */
  readonly isEven: boolean;
  /** True if it shares no run: its inputs have different numbers of rows or none, or it was in a batch that failed. */
  alone: boolean;
  /** True if nobody waits for it any more. */
  withdrawn = false;

  constructor(
    readonly request: QueuedRequest,
    { inputs: specs }: Signature,
  ) {
    super();
    const { inputs, outputs } = request;
    let key = outputs === undefined ? '' : outputs.join('\0');
    let rows: number | undefined;
    let isEven = true;
    // This is the order of the signature, not that of the client.
    for (const name of specs.keys()) {
      const shape = inputs.get(name)?.shape ?? [];
      rows ??= shape[0];
      if (shape[0] !== rows) isEven = false;
      for (let i = 1; i < shape.length; i++) key += `,${shape[i]}`;
      key += ';';
    }
    this.key = key;
    this.rows = rows ?? 1;
    this.isEven = isEven;
    this.alone = !isEven || rows === 0;
  }
}
