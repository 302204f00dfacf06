/**
 * The `Server-Timing` header of an inference answer: where the time of its request went, in milliseconds.
 *
 * https://www.w3.org/TR/server-timing/; browsers show it beside the request, and any client can read it.
 */
import type { BatchResult } from '../../serving/queue/queue-entry.js';
import { type Milliseconds, type Moment, now } from '../../time.js';

/** Measures the parts of a request on the event loop. The times in the queue and in the run come with the result. */
export class ServerTiming {
  private begun: Moment = 0;
  private decodeTime: Milliseconds = 0;

  /** The body is there. */
  decodeBegins(): void {
    this.begun = now();
  }

  /** The request waits in the queue. */
  decodeEnds(): void {
    this.decodeTime = now() - this.begun;
  }

  encodeBegins(): void {
    this.begun = now();
  }

  /** The value of the header. Encoding ends here. */
  value({ queueMicros, runMicros, batchSize }: Omit<BatchResult, 'outputs'>): string {
    const encodeTime = now() - this.begun;
    return [
      `decode;dur=${this.decodeTime.toFixed(3)}`,
      `queue;dur=${(queueMicros / 1000).toFixed(3)}`,
      `batch;desc="${batchSize}"`,
      `run;dur=${(runMicros / 1000).toFixed(3)}`,
      `encode;dur=${encodeTime.toFixed(3)}`,
    ].join(', ');
  }
}
