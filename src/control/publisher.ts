/**
 * Publishes the table of what is served, and wakes those who wait for a change of it.
 *
 * Each change makes a new table. It shares the statuses of the one before it, except that of the model that changed.
 */
import { type ModelStatus, Table } from '../serving/table.js';
import type { Milliseconds } from '../time.js';
import type { ModelRecord } from './model-record.js';
import { statusOf } from './model-status.js';

export class Publisher {
  private published: Table;
  private waiters: (() => void)[] = [];

  /** @param advice says how to add a first model; those who ask while there is none get it */
  constructor(private readonly advice: string | undefined) {
    this.published = new Table(new Map(), undefined, advice);
  }

  /** What is served now. */
  get table(): Table {
    return this.published;
  }

  /**
   * @param defaultModel is the model that is meant when a request names none
   * @param changed is the only model that differs from the last table; without it, any may
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
