/**
 * Whether the server is ready: while something serves, and each model that was found at start does.
 */
import type { ModelStatus, Table } from '../serving/table.js';

export class Readiness {
  /** Names found by the first scan: readiness waits for these. */
  private atStart: readonly string[] = [];

  /** @param isStrict wait also for models that could not be loaded at all */
  constructor(private readonly isStrict: boolean) {}

  /** The first scan is over. */
  waitFor(names: Iterable<string>): void {
    this.atStart = [...names];
  }

  /** What else is being loaded does not matter. */
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
