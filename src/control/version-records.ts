/** The versions of one model that were tried: the state of each load, its failure, and when the next try is due. */
import type { ServingError } from '../errors.js';
import type { Servable } from '../serving/servable.js';
import type { VersionState } from '../serving/table.js';
import type { LocalVersion, SourceVersion } from '../stores/source.js';
import { now } from '../time.js';
import { isSame } from './policy.js';
import { isPassing, type NextTry, nextTryAfter } from './retry.js';

/** A version with exactly these contents, from the first try to load it. Only {@link VersionRecords} changes it. */
export interface VersionRecord extends SourceVersion {
  readonly state: VersionState;
  /** When the load began. */
  readonly since: Date;
  /** The number of failed tries in a row. */
  readonly failures: number;
  /** The failure of the last try, also while the next one is under way. */
  readonly error?: ServingError | undefined;
  /** The next try, if the failure may pass by itself. */
  readonly nextTry?: NextTry | undefined;
  /** True if a load was given up and goes on. Another one would only hang as well. */
  readonly hangs?: boolean;
  readonly warmup?: string | undefined;
  readonly generation: number;
  readonly servable?: Servable | undefined;
  /** Its files, while it has a servable. */
  readonly local?: LocalVersion | undefined;
}

/** The result of a load. */
export interface LoadOutcome extends Pick<VersionRecord, 'warmup' | 'generation'> {
  readonly servable: Servable;
  readonly local: LocalVersion;
}

type Writable<Value> = { -readonly [Name in keyof Value]: Value[Name] };

export class VersionRecords {
  private list: readonly Writable<VersionRecord>[] = [];
  /** The first record for each content of each place. There may be thousands. */
  private byContents: ReadonlyMap<string, VersionRecord> = new Map();

  /** All records, in the order in which their loads began. */
  get all(): readonly VersionRecord[] {
    return this.list;
  }

  /** The loaded versions, oldest load first. */
  get loaded(): readonly VersionRecord[] {
    return this.list.filter(({ state }) => state === 'AVAILABLE');
  }

  get isLoading(): boolean {
    return this.list.some(({ state }) => state === 'LOADING');
  }

  find(candidate: SourceVersion): VersionRecord | undefined {
    return this.byContents.get(keyOf(candidate));
  }

  /** The last try of a version. */
  last(version: number | undefined): VersionRecord | undefined {
    return this.list.findLast((record) => record.version === version);
  }

  /** True for a candidate whose try is over and failed, unless the next one is due. */
  hasFailed(candidate: SourceVersion): boolean {
    const record = this.find(candidate);
    if (record?.state !== 'END' || !record.error) return false;
    return record.hangs === true || !isDue(record);
  }

  /** Starts a try. It replaces a try of the same contents that is over because it failed or was unloaded. */
  begin(candidate: SourceVersion): VersionRecord {
    const { version, place, fingerprint, handler } = candidate;
    const before = this.list.find((record) => record.state === 'END' && isSame(record, candidate));
    const record: Writable<VersionRecord> = {
      ...{ version, place, fingerprint, handler },
      state: 'LOADING',
      since: new Date(),
      failures: before?.error ? before.failures : 0,
      error: before?.error,
      generation: 0,
    };
    this.keep([...this.list.filter((each) => each !== before), record]);
    return record;
  }

  /** Notes that a load has succeeded. */
  succeeded(record: Writable<VersionRecord>, { servable, local, warmup, generation }: LoadOutcome): void {
    Object.assign(record, { state: 'AVAILABLE', error: undefined, servable, local, warmup, generation });
  }

  /** Notes that a load ended with the server. */
  abandoned(record: Writable<VersionRecord>): void {
    record.state = 'END';
  }

  /** Notes that a load has failed. @param hanging resolves when a load that was given up is over */
  failed(record: Writable<VersionRecord>, error: ServingError, hanging?: Promise<void>): void {
    record.state = 'END';
    record.error = error;
    record.failures += 1;
    if (isPassing(error.code)) record.nextTry = nextTryAfter(record.failures);
    if (!hanging) return;
    const ended = () => {
      record.hangs = false;
    };
    record.hangs = true;
    hanging.then(ended, ended);
  }

  /**
   * Takes the servable and the files out of the record, so that they can be unloaded.
   * @returns undefined if there are none
   */
  detach(
    record: Writable<VersionRecord>,
  ): (Pick<LoadOutcome, 'servable'> & Pick<VersionRecord, 'local'>) | undefined {
    const { servable, local } = record;
    if (!servable) return undefined;
    Object.assign(record, { state: 'UNLOADING', servable: undefined, local: undefined });
    return { servable, local };
  }

  /** Notes that nothing of a version is loaded any more. */
  unloaded(record: Writable<VersionRecord>): void {
    record.state = 'END';
  }

  /** Postpones versions whose last load still hangs. @returns them */
  postponeHanging(): readonly VersionRecord[] {
    const hanging = this.list.filter((record) => record.hangs && isDue(record));
    for (const record of hanging) {
      record.failures += 1;
      record.nextTry = nextTryAfter(record.failures);
    }
    return hanging;
  }

  /** Retries handlers that needed another model, because one more serves now. @returns true if there is one */
  retryHandlers(): boolean {
    let found = false;
    for (const record of this.list) {
      const { handler, error, nextTry } = record;
      if (!nextTry || handler === undefined || error?.code !== 'UNAVAILABLE') continue;
      record.nextTry = { due: now(), at: new Date() };
      found = true;
    }
    return found;
  }

  /** Forgets versions that are not loaded and not among these, so that history does not pile up. */
  forgetAllBut(current: readonly SourceVersion[]): void {
    const kept = new Set(current.map(keyOf));
    this.keep(this.list.filter((record) => record.state !== 'END' || kept.has(keyOf(record))));
  }

  private keep(records: readonly Writable<VersionRecord>[]): void {
    this.list = records;
    this.byContents = new Map(records.toReversed().map((record) => [keyOf(record), record]));
  }

  /** Lets failed versions be tried again, although their contents are the same. */
  forgive(): void {
    this.keep(this.list.filter(({ error, state }) => !error || state === 'LOADING'));
  }
}

/** The key of a candidate. Two are equal if `isSame` is true. */
function keyOf({ place, fingerprint }: SourceVersion): string {
  return `${place}\0${fingerprint}`;
}

function isDue({ nextTry }: VersionRecord): boolean {
  return nextTry !== undefined && nextTry.due <= now();
}
