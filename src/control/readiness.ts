/** Says whether the server is ready: something serves, and so does each model that was found at start. */
import type { ModelStatus, Table } from '../serving/table.js';

export class Readiness {
  /** The names that the first scan found. Readiness waits for them. */
  private atStart: readonly string[] = [];

  /** @param isStrict waits also for models that could not be loaded at all */
  constructor(private readonly isStrict: boolean) {}

  /** Sets the names. The first scan is over. */
  waitFor(names: Iterable<string>): void {
    this.atStart = [...names];
  }

  /** Other loads do not matter. */
  isReady({ models }: Table): boolean {
    const atStart = this.atStart.flatMap((name) => models.get(name) ?? []);
    return [...models.values()].some(serves) && atStart.every((model) => this.isSettled(model));
  }

  private isSettled(model: ModelStatus): boolean {
    const isGivenUp = !this.isStrict && model.versions.some(({ error }) => error);
    return serves(model) || model.isUnloaded || isGivenUp;
  }
}

function serves({ serving }: ModelStatus): boolean {
  return serving !== undefined;
}
