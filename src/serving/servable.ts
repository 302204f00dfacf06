/** One loaded version of a model, and how many requests use it. */
import type { InferenceModel } from '../engines/inference-model.js';
import type { Signature } from '../engines/signature.js';
import type { Deployment, ServableId, Terms } from './deployment.js';
import type { Batcher } from './queue/batcher.js';
import type { BatchLimits } from './queue/batching.js';
import type { QueueOwner } from './queue/queue-entry.js';

/**
 * A loaded model that counts the requests inside it. It is never disposed while there is one. A request calls {@link
 * Servable.acquire}, and later {@link Servable.release}. Everything that the request does happens on that one servable,
 * whatever is swapped meanwhile.
 */
export class Servable {
  private leases = 0;
  private onIdle: (() => void) | undefined;

  readonly id: ServableId;
  readonly model: InferenceModel;
  /** The number of values in all variables together. */
  readonly parameterCount: number;
  /** The queue for each of {@link InferenceModel.signatures}. */
  readonly batchers: ReadonlyMap<Signature, Batcher>;
  private terms: Terms;

  /** @param makeBatcher makes the queue before a signature of the model, with limits that may change */
  constructor(
    { id, model, parameterCount, terms }: Deployment,
    makeBatcher: (signature: Signature, limits: () => BatchLimits) => Batcher,
  ) {
    this.id = id;
    this.model = model;
    this.parameterCount = parameterCount;
    this.terms = terms;
    const limits = () => this.terms.limits;
    const signatures = [...model.signatures.values()];
    this.batchers = new Map(signatures.map((signature) => [signature, makeBatcher(signature, limits)]));
  }

  /** The signature that is meant when a request names none. */
  get defaultSignature(): Signature | undefined {
    const { defaultSignature } = this.terms;
    return defaultSignature === undefined ? undefined : this.model.signatures.get(defaultSignature);
  }

  /** The signature of this name, or the one that is meant without a name; undefined if there is none. */
  signature(name: string | undefined): Signature | undefined {
    return name === undefined ? this.defaultSignature : this.model.signatures.get(name);
  }

  /** The terms that hold now. */
  get currentTerms(): Terms {
    return this.terms;
  }

  /** Sets new terms, which hold from the next request on. Files have changed. */
  renew(terms: Terms): void {
    this.terms = terms;
  }

  batcher(signature: Signature): Batcher {
    const batcher = this.batchers.get(signature);
    if (!batcher) throw new Error(`${signature.name} is no signature of ${this.id.model}`);
    return batcher;
  }

  /** True if no request could be queued now, whatever its signature. */
  get isFull(): boolean {
    for (const batcher of this.batchers.values()) if (!batcher.isFull) return false;
    return this.batchers.size > 0;
  }

  /** True if no request of an owner could be queued now, because it holds its share of each queue. */
  isFullFor(owner: QueueOwner): boolean {
    for (const batcher of this.batchers.values()) if (!batcher.isFullFor(owner)) return false;
    return this.batchers.size > 0;
  }

  /** The number of requests that hold it now. */
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

  /** Waits for the last request, and disposes the model. It is called once, after the servable has left the table. */
  async retire(): Promise<void> {
    if (this.leases > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
    await this.model.dispose();
  }
}
