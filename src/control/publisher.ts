/**
 * Publishes the table of what is served, and tells those who wait for a change of it.
 *
 * Each change makes a new table. It holds the statuses that the one before it held, but for the model that changed.
 */
import { type ModelStatus, Table } from '../serving/table.js';
import type { Milliseconds } from '../time.js';
import type { ModelRecord } from './model-record.js';
import { statusOf } from './model-status.js';

export class Publisher {
  private published: Table;
  private waiters: (() => void)[] = [];

  /** @param advice how a first model is added, for those who ask while there is none */
  constructor(private readonly advice: string | undefined) {
    this.published = new Table(new Map(), undefined, advice);
  }

  /** What is served now. */
  get table(): Table {
    return this.published;
  }

  /**
   * @param defaultModel the model that is meant when none is named
   * @param changed the only model that is not as it was published last; by default any may be
   */
  publish(models: Iterable<ModelRecord>, defaultModel: string | undefined, changed?: ModelRecord): void {
    const before = this.published.models;
    const statuses = new Map<string, ModelStatus>();
    for (const model of models) {
      const known = changed && changed !== model ? before.get(model.name) : undefined;
      statuses.set(model.name, known ?? statusOf(model));
    }
    this.published = new Table(statuses, defaultModel, this.advice);
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** Waits for the next change, at most for this time. */
  async change(patience: Milliseconds): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.waiters.push(resolve);
      timer = setTimeout(resolve, patience);
    });
    clearTimeout(timer);
  }
}
