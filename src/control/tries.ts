/**
 * The versions of one model that were tried: how each load stands, what it failed with, and when the next one is due.
 */
import type { ServingError } from '../errors.js';
import type { Servable } from '../serving/servable.js';
import type { VersionState } from '../serving/table.js';
import type { LocalVersion } from '../stores/source.js';
import { type Candidate, isSame } from './policy.js';
import { isPassing, type NextTry, nextTryAfter } from './retry.js';

/** A version with just these contents, from the first try to load it on. */
export interface VersionRecord extends Candidate {
  state: VersionState;
  /** When the load began. */
  readonly since: Date;
  /** Tries that failed in a row. */
  failures: number;
  /** What the last try failed with, also while the next one is under way. */
  error?: ServingError | undefined;
  /** Where the failure may pass by itself. */
  nextTry?: NextTry | undefined;
  /** A load that was given up goes on: another one would only hang beside it. */
  hangs?: boolean;
  warmup?: string | undefined;
  generation: number;
  servable?: Servable | undefined;
  /** Its files, while it has a servable. */
  local?: LocalVersion | undefined;
}

export class Tries {
  private list: readonly VersionRecord[] = [];
  /** The first of the list for each contents of each place: there may be thousands. */
  private byContents: ReadonlyMap<string, VersionRecord> = new Map();

  /** In the order in which their loads began. */
  get records(): readonly VersionRecord[] {
    return this.list;
  }

  /** Loaded and ready, oldest load first. */
  get loaded(): readonly VersionRecord[] {
    return this.list.filter(({ state }) => state === 'AVAILABLE');
  }

  get isLoading(): boolean {
    return this.list.some(({ state }) => state === 'LOADING');
  }

  find(candidate: Candidate): VersionRecord | undefined {
    return this.byContents.get(keyOf(candidate));
  }

  /** The last try of a version. */
  last(version: number | undefined): VersionRecord | undefined {
    return this.list.findLast((record) => record.version === version);
  }

  /** True for a candidate whose try is over and failed, unless the next one is due. */
  hasFailed(candidate: Candidate): boolean {
    const record = this.find(candidate);
    if (record?.state !== 'END' || !record.error) return false;
    return record.hangs === true || !isDue(record);
  }

  /** Starts a try. It takes the place of one of the same contents that is over: it failed, or was unloaded. */
  begin(candidate: Candidate): VersionRecord {
    const { version, place, fingerprint, handler } = candidate;
    const before = this.list.find((record) => record.state === 'END' && isSame(record, candidate));
    const record: VersionRecord = {
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

  /**
   * Ends a try.
   *
   * @param hanging resolves when a load that was given up is over
   */
  end(record: VersionRecord, error: ServingError, hanging?: Promise<void>): void {
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

  /** Postpones versions whose last load still hangs. @returns them */
  postponeHanging(): readonly VersionRecord[] {
    const hanging = this.list.filter((record) => record.hangs && isDue(record));
    for (const record of hanging) {
      record.failures += 1;
      record.nextTry = nextTryAfter(record.failures);
    }
    return hanging;
  }

  /**
   * Another model serves now: a handler that could not be without it is tried again at once.
   *
   * @returns true if there is one
   */
  anotherServes(): boolean {
    let found = false;
    for (const record of this.list) {
      const { handler, error, nextTry } = record;
      if (!nextTry || handler === undefined || error?.code !== 'UNAVAILABLE') continue;
      record.nextTry = { due: performance.now(), at: new Date() };
      found = true;
    }
    return found;
  }

  /** Forgets what is over and is not among these, so that history does not pile up. */
  forgetAllBut(current: readonly Candidate[]): void {
    const kept = new Set(current.map(keyOf));
    this.keep(this.list.filter((record) => record.state !== 'END' || kept.has(keyOf(record))));
  }

  private keep(records: readonly VersionRecord[]): void {
    this.list = records;
    this.byContents = new Map(records.toReversed().map((record) => [keyOf(record), record]));
  }

  /** Lets what failed be tried again, although its contents are the same. */
  forgive(): void {
    this.keep(this.list.filter(({ error, state }) => !error || state === 'LOADING'));
  }
}

/** As `isSame` has it. */
function keyOf({ place, fingerprint }: Candidate): string {
  return `${place}\0${fingerprint}`;
}

function isDue({ nextTry }: VersionRecord): boolean {
  return nextTry !== undefined && nextTry.due <= performance.now();
}
