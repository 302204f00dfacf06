/**
 * The models that the control plane knows, by name: those that the source has, and those that still serve without it.
 */
import { type BatchingDefaults, type BatchLimits, batchLimits } from '../serving/queue/batching.js';
import type { BatchingParameters } from '../stores/serving-json.js';
import { ModelRecord } from './model-record.js';
import type { Scan, ScannedModel } from './scan/scan.js';

export interface ModelRecordsOptions {
  /** The value of `--signature`. */
  readonly signature: string;
  readonly batching: BatchingDefaults;
  /** The value from the command line. Files beside the models precede it. */
  readonly batchingParameters: BatchingParameters | undefined;
}

export class ModelRecords {
  private readonly records = new Map<string, ModelRecord>();
  /** The number of loads of each version. It outlives the models, so that no two loads of a version share a number. */
  private readonly generations = new Map<string, Map<number, number>>();

  constructor(private readonly options: ModelRecordsOptions) {}

  get byName(): ReadonlyMap<string, ModelRecord> {
    return this.records;
  }

  get all(): readonly ModelRecord[] {
    return [...this.records.values()];
  }

  /** False for a model that was taken away, even if another one has its name by now. */
  has(model: ModelRecord): boolean {
    return this.records.get(model.name) === model;
  }

  /** True if any version serves. */
  get isServing(): boolean {
    for (const { serving } of this.records.values()) if (serving) return true;
    return false;
  }

  /** Takes the result of a scan. @returns the models that are gone from the source and that nobody holds */
  follow(scan: Scan): readonly ModelRecord[] {
    const gone: ModelRecord[] = [];
    for (const model of scan.models.values()) {
      const limits = this.limitsOf(model, scan);
      const record = this.recordOf(model.name, limits);
      record.follow(model, limits);
      if (model.gone && record.pin?.kind !== 'path') gone.push(record);
    }
    return gone;
  }

  private limitsOf({ config }: ScannedModel, { config: repository }: Scan): BatchLimits {
    const { batching, batchingParameters } = this.options;
    const files = [config.batching_parameters, repository.batching_parameters];
    return batchLimits(batching, ...files, batchingParameters);
  }

  private recordOf(name: string, limits: BatchLimits): ModelRecord {
    const known = this.records.get(name);
    if (known) return known;
    const generations = this.generations.get(name) ?? new Map<number, number>();
    this.generations.set(name, generations);
    const record = new ModelRecord(name, generations, limits, this.options.signature);
    this.records.set(name, record);
    return record;
  }

  delete({ name }: ModelRecord): void {
    this.records.delete(name);
  }

  /** @returns the models that there were */
  clear(): readonly ModelRecord[] {
    const { all } = this;
    this.records.clear();
    return all;
  }
}
