/** A table of what is loaded, served and unloaded next. The policy is a pure function. */
import { describe, expect, it } from 'vitest';
import {
  aspiredVersions,
  isWanted,
  type Pin,
  type PlanInput,
  plan,
  wantedVersion,
} from '../../src/control/policy.ts';
import type { ScannedVersion } from '../../src/control/scan/scan.ts';
import type { VersionPolicy } from '../../src/stores/serving-json.ts';
import type { SourceVersion } from '../../src/stores/source.ts';

/** `3` is version 3 with its first contents, `3b` with others; `3?` is not quiet yet. */
function version(text: string): ScannedVersion {
  const [, number, contents, mark] = /^(\d+)([a-z]?)(\?|)$/.exec(text) ?? [];
  const fingerprint = contents || 'a';
  return { version: Number(number), place: `/m/${number}`, fingerprint, since: 0, quiet: mark !== '?' };
}

function name({ version: number, fingerprint, place }: SourceVersion): string {
  const elsewhere = place.startsWith('/m/') ? '' : '@elsewhere';
  return `${number}${fingerprint === 'a' ? '' : fingerprint}${elsewhere}`;
}

interface Row {
  readonly what: string;
  readonly folder: string;
  readonly loaded?: string;
  readonly serving?: string;
  readonly failed?: string;
  /** Loaded ones that must not take the place of the one that serves. */
  readonly misfit?: string;
  readonly policy?: VersionPolicy;
  readonly labels?: number[];
  readonly pin?: number | 'elsewhere';
  /** What must come of it; what is left out must not happen. */
  readonly load?: string;
  readonly serve?: string;
  readonly unload?: string;
}

const latest = (num_versions: number): VersionPolicy => ({ latest: { num_versions } });
const elsewhere: Pin & SourceVersion = { kind: 'path', version: 1, place: '/x/1', fingerprint: 'a' };

const rows: Row[] = [
  { what: 'nothing there', folder: '' },
  { what: 'the newest is loaded first', folder: '1 2 10', load: '10' },
  { what: 'not before it is quiet', folder: '1 2?' },
  { what: 'and serves', folder: '1 2', loaded: '2', serve: '2' },
  {
    what: 'a newer one is loaded beside it',
    folder: '1 2',
    loaded: '1',
    serving: '1',
    load: '2',
    serve: '1',
  },
  { what: 'swapped in, the older goes', folder: '1 2', loaded: '1 2', serving: '1', serve: '2', unload: '1' },
  {
    what: 'a newer one that must not take over is held ready, and the older serves',
    folder: '1 2',
    loaded: '1 2',
    serving: '1',
    misfit: '2',
    serve: '1',
  },
  {
    what: 'the one that serves goes on whatever may be said of it',
    folder: '1',
    loaded: '1',
    serving: '1',
    misfit: '1',
    serve: '1',
  },
  {
    what: 'a newer one that failed changes nothing',
    folder: '1 2',
    loaded: '1',
    serving: '1',
    failed: '2',
    serve: '1',
  },
  { what: 'if it failed at start, the one before is loaded', folder: '1 2', failed: '2', load: '1' },
  { what: 'an older one put there changes nothing', folder: '1 5', loaded: '5', serving: '5', serve: '5' },
  {
    what: 'the serving one is deleted: another is loaded',
    folder: '1',
    loaded: '2',
    serving: '2',
    load: '1',
    serve: '2',
  },
  {
    what: 'then serves, and the deleted one goes',
    folder: '1',
    loaded: '2 1',
    serving: '2',
    serve: '1',
    unload: '2',
  },
  { what: 'the last one is deleted: it goes on serving', folder: '', loaded: '2', serving: '2', serve: '2' },
  { what: 'numbers fall', folder: '3', loaded: '7', serving: '7', load: '3', serve: '7' },
  { what: 'overwritten in place', folder: '1b', loaded: '1', serving: '1', load: '1b', serve: '1' },
  {
    what: 'its next generation takes over',
    folder: '1b',
    loaded: '1 1b',
    serving: '1',
    serve: '1b',
    unload: '1',
  },
  {
    what: 'damaged in place, it goes on serving',
    folder: '1 2b',
    loaded: '2',
    serving: '2',
    failed: '2b',
    serve: '2',
  },
  { what: 'latest 2 loads both, the newest first', folder: '1 2 3', policy: latest(2), load: '3' },
  {
    what: 'latest 2 then the other',
    folder: '1 2 3',
    policy: latest(2),
    loaded: '3',
    serving: '3',
    load: '2',
    serve: '3',
  },
  {
    what: 'latest 2 lets the third go only when both are there',
    folder: '1 2 3',
    policy: latest(2),
    loaded: '1 2',
    serving: '2',
    load: '3',
    serve: '2',
  },
  {
    what: 'latest 2, all there',
    folder: '1 2 3',
    policy: latest(2),
    loaded: '1 2 3',
    serving: '2',
    serve: '3',
    unload: '1',
  },
  {
    what: 'latest 2 reaches past a failed one',
    folder: '1 2 3',
    policy: latest(2),
    failed: '3',
    loaded: '2',
    serving: '2',
    load: '1',
    serve: '2',
  },
  { what: 'all', folder: '1 2 3', policy: { all: {} }, loaded: '3 2', serving: '3', load: '1', serve: '3' },
  { what: 'specific', folder: '1 2 3', policy: { specific: { versions: [1, 2, 9] } }, load: '2' },
  {
    what: 'specific, served',
    folder: '1 2 3',
    policy: { specific: { versions: [1] } },
    loaded: '3 1',
    serving: '3',
    serve: '1',
    unload: '3',
  },
  {
    what: 'a labelled version is held ready',
    folder: '1 2 3',
    labels: [1],
    loaded: '3',
    serving: '3',
    load: '1',
    serve: '3',
  },
  { what: 'a labelled version does not serve by itself', folder: '1 2', labels: [1], loaded: '1', load: '2' },
  { what: 'pinned: loaded first', folder: '1 2', pin: 1, load: '1' },
  {
    what: 'pinned: served, the newest held ready',
    folder: '1 2',
    pin: 1,
    loaded: '1',
    serving: '1',
    load: '2',
    serve: '1',
  },
  {
    what: 'pinned: a newer drop is held ready, the one before it goes',
    folder: '1 2 3',
    pin: 1,
    loaded: '1 2 3',
    serving: '1',
    serve: '1',
    unload: '2',
  },
  {
    what: 'pinned to a loaded one: a pointer swap',
    folder: '1 2',
    pin: 1,
    loaded: '1 2',
    serving: '2',
    serve: '1',
  },
  {
    what: 'unpinned: back to the newest',
    folder: '1 2',
    loaded: '1 2',
    serving: '1',
    serve: '2',
    unload: '1',
  },
  {
    what: 'pinned to one that failed: what served goes on',
    folder: '1 2',
    pin: 2,
    failed: '2',
    loaded: '1',
    serving: '1',
    serve: '1',
  },
  {
    what: 'pinned to one that failed: newer drops do not pile up',
    folder: '1 2 3 4',
    pin: 1,
    failed: '1',
    loaded: '2 3 4',
    serving: '2',
    serve: '2',
    unload: '3',
  },
  {
    what: 'pinned to a folder elsewhere',
    folder: '1 2',
    pin: 'elsewhere',
    loaded: '2',
    serving: '2',
    load: '1@elsewhere',
    serve: '2',
  },
  {
    what: 'pinned elsewhere, served, the newest held ready',
    folder: '1 2',
    pin: 'elsewhere',
    loaded: '2 1@elsewhere',
    serving: '2',
    serve: '1@elsewhere',
  },
];

describe('the plan', () => {
  it.each(rows)('$what', (row) => {
    const parse = (text = '') =>
      text
        .split(' ')
        .filter(Boolean)
        .map((each) => (each === '1@elsewhere' ? elsewhere : version(each)));
    const loaded = parse(row.loaded);
    const failed = parse(row.failed).map(name);
    const misfit = parse(row.misfit).map(name);
    const pin: Pin | undefined =
      row.pin === undefined
        ? undefined
        : row.pin === 'elsewhere'
          ? elsewhere
          : { kind: 'version', version: row.pin };
    const result = plan({
      versions: parse(row.folder) as ScannedVersion[],
      policy: row.policy ?? latest(1),
      labelled: row.labels ?? [],
      pin,
      loaded,
      serving: loaded.find((each) => name(each) === row.serving),
      failed: (candidate) => failed.includes(name(candidate)),
      mayServe: (candidate) => !misfit.includes(name(candidate)),
    });
    expect({
      load: result.load && name(result.load),
      serve: result.serve && name(result.serve),
      unload: result.unload.map(name).join(' ') || undefined,
    }).toEqual({ load: row.load, serve: row.serve, unload: row.unload });
  });

  it('wants a failed version again if nothing newer took its place, or somebody names it', () => {
    const folder = (text: string) => text.split(' ').map(version);
    const wants = (candidate: string, input: Partial<PlanInput<SourceVersion>>) => {
      const none = { policy: latest(1), labelled: [], pin: undefined, loaded: [], serving: undefined };
      const rest = { failed: () => false, mayServe: () => true };
      return isWanted({ ...none, versions: folder('1 2 3'), ...rest, ...input }, version(candidate));
    };
    expect(wants('3', {})).toBe(true);
    expect(wants('3b', {})).toBe(false);
    expect(wants('2', {})).toBe(false);
    expect(wants('2', { failed: ({ version: number }) => number === 3 })).toBe(true);
    expect(wants('2', { labelled: [2] })).toBe(true);
    expect(wants('2', { pin: { kind: 'version', version: 2 } })).toBe(true);
    expect(wants('1', { versions: folder('2 3') })).toBe(false);
  });

  it('aspires to all that the policy admits, those that are not quiet yet among them', () => {
    const none = { labelled: [], pin: undefined, loaded: [], serving: undefined };
    const input = { ...none, versions: ['1', '2?', '3?'].map(version), failed: () => false };
    const aspired = (policy: VersionPolicy) => [
      ...aspiredVersions({ ...input, mayServe: () => true, policy }),
    ];
    expect(aspired(latest(1))).toEqual([3]);
    expect(aspired({ all: {} })).toEqual([1, 2, 3]);
  });

  it('wants the pinned version, else the newest that the policy admits', () => {
    const versions = ['1', '2', '3'].map(version);
    expect(wantedVersion({ versions, policy: latest(1), pin: undefined })).toBe(3);
    expect(wantedVersion({ versions, policy: latest(1), pin: { kind: 'version', version: 9 } })).toBe(9);
    expect(wantedVersion({ versions, policy: { specific: { versions: [1, 2] } }, pin: undefined })).toBe(2);
    expect(wantedVersion({ versions: [], policy: latest(1), pin: undefined })).toBe(undefined);
  });
});
