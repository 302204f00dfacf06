/** The versions that a worker holds, and the table of them that is in force. */
import type { InferenceModel, SharedModel } from '../engines/inference-model.js';
import type { Deployment } from '../serving/deployment.js';
import type { Servable } from '../serving/servable.js';
import { type ModelStatus, Table } from '../serving/table.js';
import type { SharedDeployment, SharedModelStatus, SharedTable } from './messages.js';

interface Numbered {
  readonly epoch: number;
  readonly table: Table;
  readonly terms: SharedTable['terms'];
}

export interface ServedOptions {
  /** One 32-bit integer: the number of the table that is in force in the whole process. */
  readonly epoch: SharedArrayBuffer;
  readonly open: (model: SharedModel) => InferenceModel;
  readonly deploy: (deployment: Deployment) => Servable;
}

export class Served {
  private readonly servables = new Map<number, Servable>();
  /** What was last said of the runs of each version. */
  private readonly explained = new Map<number, string>();
  private readonly epoch: Int32Array;
  private current: Numbered = { epoch: 0, table: new Table(new Map(), undefined), terms: new Map() };
  private next: Numbered | undefined;

  constructor(private readonly options: ServedOptions) {
    this.epoch = new Int32Array(options.epoch);
  }

  /** What is served now. All event loops change at the same moment. */
  get table(): Table {
    const { next } = this;
    if (next && Atomics.load(this.epoch, 0) >= next.epoch) this.change(next);
    return this.current.table;
  }

  /** Makes a version ready. @throws ServingError if it cannot be opened */
  prepare({ key, model, ...rest }: SharedDeployment): void {
    const opened = this.options.open(model);
    this.servables.set(key, this.options.deploy({ ...rest, model: opened, isHandled: false }));
  }

  /** Keeps a table until it is in force. */
  publish({ epoch, models, defaultModel, terms }: SharedTable): void {
    // The table before this one is in force by now: the main thread waits for that.
    void this.table;
    const statuses = models.map((model) => [model.name, this.statusOf(model)] as const);
    this.next = { epoch, terms, table: new Table(new Map(statuses), defaultModel) };
  }

  /** Disposes a version that has left the table, once its requests have ended. */
  async retire(key: number): Promise<void> {
    void this.table;
    const servable = this.servables.get(key);
    this.servables.delete(key);
    this.explained.delete(key);
    await servable?.retire();
  }

  /**
   * Brings the numbers up to date that only a look at the clock changes.
   *
   * @param explain is told where the runs of a version are made, if that has changed
   */
  look(explain: (key: number, runs: ReadonlyMap<string, string>) => void): void {
    for (const [key, { batchers }] of this.servables) {
      const runs = new Map<string, string>();
      for (const batcher of batchers.values()) {
        batcher.countStuck();
        runs.set(batcher.signature.name, batcher.inline.explanation);
      }
      const text = [...runs.values()].join('\n');
      if (this.explained.get(key) === text) continue;
      this.explained.set(key, text);
      explain(key, runs);
    }
  }

  private change(next: Numbered): void {
    this.current = next;
    this.next = undefined;
    for (const [key, terms] of next.terms) this.servables.get(key)?.renew(terms);
  }

  private statusOf({ name, serving, available, labels }: SharedModelStatus): ModelStatus {
    const held = [...available].flatMap(([version, key]) => {
      const servable = this.servables.get(key);
      return servable ? [[version, servable] as const] : [];
    });
    return {
      name,
      labels,
      available: new Map(held),
      serving: serving === undefined ? undefined : this.servables.get(serving),
      // The main thread answers what these are needed for.
      ...{ versions: [], wanted: undefined, pinned: undefined, doubts: [] },
      ...{ isUnloaded: false, sourceMissing: false },
    };
  }
}
