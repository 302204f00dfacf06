/**
 * A request on its way through a queue: what its caller hands in, and its place there.
 */
import type { Signature } from '../../engines/signature.js';
import { Linked } from '../../flow/list.js';
import type { NamedTensors } from '../../tfjs/tensors.js';
import { type Microseconds, type Moment, now } from '../../time.js';

export interface QueuedRequest {
  /** As the graph takes them, with the batch dim. They stay the caller's, and must live until the answer is there. */
  readonly inputs: NamedTensors;
  /** One sample: the batch dim comes off the outputs. */
  readonly single: boolean;
  /** Outputs to give; all by default. */
  readonly outputs: readonly string[] | undefined;
  /** Once it has passed, the request is not run any more. */
  readonly deadline: Moment;
  /** Models whose handlers' calls it is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
  /** One of these is called once, unless the request is withdrawn in time. */
  succeeded(result: BatchResult): void;
  failed(error: unknown): void;
}

export interface BatchResult {
  /** Disposed by the caller. */
  readonly outputs: NamedTensors;
  /** Until a run took the request. */
  readonly queueMicros: Microseconds;
  /** Inside that run. */
  readonly runMicros: Microseconds;
  /** Rows of the batch it was in, without padding. */
  readonly batchSize: number;
}

/** A request in the queue, or in a run. */
export class QueueEntry extends Linked {
  /** Of its first input. */
  readonly rows: number;
  /** Requests with the same key may share a batch: they ask for the same outputs, and the rows of each input have one shape. */
  readonly key: string;
  readonly enqueued: Moment = now();
  /** All of its inputs have that many. */
  readonly isEven: boolean;
  /** Shares no run: its inputs do not have the same number of rows, or none, or it was in a batch that failed. */
  alone: boolean;
  /** Nobody waits for it any more. */
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
    // In the signature's order, not in the one that the client wrote them in.
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
