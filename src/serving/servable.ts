/**
 * One loaded version of a model, and who is using it.
 */
import type { InferenceModel } from '../runtime/runtime.js';
import type { Signature } from '../runtime/signature.js';

export interface ServableId {
  readonly model: string;
  readonly version: number;
  /** Counts the loads of this version in this process, from 1: files replaced in place make a new one. */
  readonly generation: number;
}

/**
 * A loaded model that counts the requests inside it. It is never disposed while one of them is: a request takes a
 * {@link Lease} and everything it does happens on that one servable, whatever is swapped meanwhile.
 */
export class Servable {
  private leases = 0;
  private onIdle: (() => void) | undefined;

  constructor(
    readonly id: ServableId,
    readonly loaded: InferenceModel,
    /** Numbers in all variables together. */
    readonly parameterCount: number,
    /** The signature that is meant when a request names none. */
    readonly defaultSignature: Signature | undefined,
  ) {}

  /** Requests that hold it now. */
  get inFlight(): number {
    return this.leases;
  }

  /** Holds the servable until {@link release}. */
  acquire(): void {
    this.leases += 1;
  }

  release(): void {
    this.leases -= 1;
    if (this.leases === 0) this.onIdle?.();
  }

  /** Waits for the last request and gives the model back. Called once, after the servable has left the table. */
  async retire(): Promise<void> {
    if (this.leases > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
    await this.loaded.dispose();
  }
}
