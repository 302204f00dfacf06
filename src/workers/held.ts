/** The versions that workers hold, and what the main thread tells them of each. */
import type { Deployment } from '../serving/deployment.js';
import { queueColumns } from '../serving/queue/batcher.js';
import type { Servable } from '../serving/servable.js';
import type { ModelStatus, Table } from '../serving/table.js';
import type { Telemetry } from '../telemetry/metrics.js';
import type { SharedDeployment, SharedModelStatus, SharedTable } from './messages.js';

export class Held {
  /** True while workers answer nothing by themselves. */
  passesAll = false;
  private readonly deployments = new Map<Servable, SharedDeployment>();
  private keys = 0;

  constructor(private readonly telemetry: Pick<Telemetry, 'requests'>) {}

  get all(): Iterable<SharedDeployment> {
    return this.deployments.values();
  }

  /** Adds a version, if workers can run it at all. */
  add({ model, ...deployment }: Deployment, servable: Servable): SharedDeployment | undefined {
    const { id, parameterCount, batching, terms, isHandled } = deployment;
    const { shared } = model;
    if (!shared || isHandled || !mayRunAnywhere(servable)) return undefined;
    this.keys += 1;
    const queues = [...servable.batchers].map(
      ([{ name }, { numbers }]) => [name, numbers.memory as SharedArrayBuffer] as const,
    );
    const added: SharedDeployment = {
      ...{ id, parameterCount, batching, terms },
      key: this.keys,
      model: shared,
      queueMemory: new Map(queues),
      countsMemory: this.telemetry.requests.memoryOf(id.model, id.version) as SharedArrayBuffer,
    };
    this.deployments.set(servable, added);
    return added;
  }

  /** Takes over what a worker says of where it makes the runs of a version. */
  explain(key: number, runs: ReadonlyMap<string, string>): void {
    for (const [{ batchers }, deployment] of this.deployments) {
      if (deployment.key !== key) continue;
      for (const batcher of batchers.values()) batcher.inline.elsewhere = runs.get(batcher.signature.name);
    }
  }

  delete(servable: Servable): void {
    this.deployments.delete(servable);
  }

  /** The key of a version; undefined if workers do not hold it. */
  keyOf(servable: Servable): number | undefined {
    return this.deployments.get(servable)?.key;
  }

  /** Takes back what a worker that has died said of its queues. What it has counted stays. */
  forgetQueues(index: number): void {
    for (const { batchers } of this.deployments.keys()) {
      for (const { numbers } of batchers.values()) {
        const of = numbers.of(index);
        for (const column of [queueColumns.queued, queueColumns.inFlight, queueColumns.stuck]) of[column] = 0;
      }
    }
  }

  /** The part of a table that workers answer. */
  share({ models, defaultModel }: Table, epoch: number): SharedTable {
    const served = this.passesAll ? [] : [...models.values()];
    return {
      epoch,
      defaultModel,
      models: served.map((model) => this.shareModel(model)),
      terms: new Map(
        Array.from(this.deployments, ([servable, { key }]) => [key, servable.currentTerms] as const),
      ),
    };
  }

  private shareModel({ name, serving, available, labels }: ModelStatus): SharedModelStatus {
    const keys = [...available].flatMap(([version, servable]) => {
      const key = this.keyForNow(servable);
      return key === undefined ? [] : [[version, key] as const];
    });
    return {
      ...{ name, labels },
      available: new Map(keys),
      serving: serving && this.keyForNow(serving),
    };
  }

  /** The key of a version if workers may answer for it under its present terms. */
  private keyForNow(servable: Servable): number | undefined {
    // Runs that are shared on trial are compared, and one difference ends the sharing: one loop must see them all.
    const isOnTrial = [...servable.batchers.values()].some(({ sharing }) => sharing.kind === 'trial');
    return isOnTrial ? undefined : this.keyOf(servable);
  }
}

/** False if runs of a version must not overlap or go on from each other: one event loop must order them. */
function mayRunAnywhere({ batchers }: Servable): boolean {
  return [...batchers.keys()].every(({ rows }) => rows !== undefined && !rows.writes && !rows.continues);
}
