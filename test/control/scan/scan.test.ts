/**
 * Which versions are quiet, gone, or only out of sight: a pure function of listings and the clock.
 */
import { describe, expect, it } from 'vitest';
import type { CheckedListing, CheckedModelListing } from '../../../src/control/scan/checked-listing.ts';
import { nothingScanned, type Scan, type ScanOptions, scan } from '../../../src/control/scan/scan.ts';
import { noModelConfig } from '../../../src/stores/serving-json.ts';
import type { ArrivalFacts } from '../../../src/stores/source.ts';

const settle = 1000;
const emptyFor = 30_000;

/** A folder that was renamed into place. */
const renamed: ArrivalFacts = {
  ...{
    clock: 'own',
    identity: undefined,
    changedAt: 0,
    placedAt: 1,
    madeAt: undefined,
  },
  entries: ['saved_model.pb'],
};

/** `{m: '1 2b'}`: model m with versions 1 and 2, the latter with other contents; `2!` cannot be read; null: the folder cannot. */
type Folder = Readonly<Record<string, string | null>>;

function list(folder: Folder | null, facts: Partial<ArrivalFacts> = {}): CheckedListing {
  const problems = folder ? [] : ['unreadable'];
  const models =
    folder &&
    Object.entries(folder).map(([name, text]): CheckedModelListing => {
      const versions = text
        ?.split(' ')
        .filter(Boolean)
        .map((each) => {
          const [, number, contents, mark] = /^(\d+)([a-z]?)(!?)$/.exec(each) ?? [];
          const place = { version: Number(number), place: `/${name}/${number}` };
          if (mark) return place;
          const fingerprint = contents || 'a';
          return { ...place, fingerprint, arrival: { ...renamed, ...facts } };
        });
      return { name, versions, config: noModelConfig };
    });
  return { models: models ?? undefined, config: {}, problems, unserved: [] };
}

/** Scans one listing after another. */
function scanAll(steps: readonly (readonly [at: number, folder: Folder | null])[]): Scan {
  return steps.reduce(
    (before, [now, folder]) => scan(before, list(folder), { moment: now, wall: now, settle, emptyFor }),
    nothingScanned,
  );
}

/** `1 2b?`: what stands in the scan; `?` for what is not quiet. */
function versions(result: Scan, model = 'm'): string | undefined {
  return result.models
    .get(model)
    ?.versions.map(
      ({ version, fingerprint, quiet }) =>
        `${version}${fingerprint === 'a' ? '' : fingerprint}${quiet ? '' : '?'}`,
    )
    .join(' ');
}

/** The versions that a scan finds after these listings. */
function found(...steps: Parameters<typeof scanAll>[0]): string | undefined {
  return versions(scanAll(steps));
}

describe('a version', () => {
  it('is quiet once two listings far enough apart found it the same', () => {
    expect(found([0, { m: '1' }])).toBe('1?');
    expect(found([0, { m: '1' }], [999, { m: '1' }])).toBe('1?');
    expect(found([0, { m: '1' }], [1000, { m: '1' }])).toBe('1');
  });

  it('starts anew with every change of its contents', () => {
    expect(found([0, { m: '1' }], [900, { m: '1b' }], [1800, { m: '1b' }])).toBe('1b?');
    expect(found([0, { m: '1' }], [900, { m: '1b' }], [5899, { m: '1b' }])).toBe('1b?');
    expect(found([0, { m: '1' }], [900, { m: '1b' }], [5900, { m: '1b' }])).toBe('1b');
  });

  it('that is missing once is not gone, and is as it was when it comes back', () => {
    const steps = [
      [0, { m: '1 2' }],
      [1000, { m: '1 2' }],
      [2000, { m: '1' }],
    ] as const;
    expect(found(...steps)).toBe('1 2?');
    expect(found(...steps, [2500, { m: '1 2' }])).toBe('1 2');
  });

  it('that is missing twice, far enough apart, is gone', () => {
    const steps = [
      [0, { m: '1 2' }],
      [2000, { m: '1' }],
      [2500, { m: '1' }],
    ] as const;
    expect(found(...steps)).toBe('1 2?');
    expect(found(...steps, [3000, { m: '1' }])).toBe('1');
  });

  it('that cannot be read stays as it was, for as long as that lasts', () => {
    expect(
      found([0, { m: '1 2' }], [1000, { m: '1 2' }], [9000, { m: '1 2!' }], [99_000, { m: '1 2!' }]),
    ).toBe('1 2');
    const unreadable = scanAll([[0, { m: '1 2!' }]]);
    expect(versions(unreadable)).toBe('1?');
    expect(unreadable.waits).toEqual([]);
  });

  it('the last one of a model can be gone while the model stays', () => {
    const result = scanAll([
      [0, { m: '1', n: '1' }],
      [1000, { m: '', n: '1' }],
      [2000, { m: '', n: '1' }],
    ]);
    expect(versions(result)).toBe('');
    expect(result.models.get('m')?.gone).toBe(false);
  });
});

describe('a model', () => {
  it('is a folder that has, or once had, a version', () => {
    expect([...scanAll([[0, { m: '1', notes: '' }]]).models.keys()]).toEqual(['m']);
  });

  it('whose folder cannot be read stays as it was', () => {
    expect(found([0, { m: '1' }], [1000, { m: '1' }], [99_000, { m: null }])).toBe('1');
  });

  it('is gone when its folder is missing twice from a repository that holds others', () => {
    const steps = [
      [0, { m: '1', n: '1' }],
      [5000, { n: '1' }],
    ] as const;
    expect(scanAll(steps).models.get('m')?.gone).toBe(false);
    expect(scanAll([...steps, [5999, { n: '1' }]]).models.get('m')?.gone).toBe(false);
    expect(scanAll([...steps, [6000, { n: '1' }]]).models.get('m')?.gone).toBe(true);
    expect(
      scanAll([...steps, [5500, { m: '1', n: '1' }], [6000, { m: '1', n: '1' }]]).models.get('m')?.gone,
    ).toBe(false);
  });

  it('is not gone with a whole repository that is empty for a moment', () => {
    const steps = [
      [0, { m: '1' }],
      [5000, {}],
    ] as const;
    expect(scanAll([...steps, [34_999, {}]]).models.get('m')?.gone).toBe(false);
    expect(scanAll([...steps, [35_000, {}]]).models.get('m')?.gone).toBe(true);
    expect(found(...steps, [20_000, { m: '1' }])).toBe('1');
  });

  it('stays while the repository cannot be read, however long', () => {
    const result = scanAll([
      [0, { m: '1' }],
      [1000, { m: '1' }],
      [2000, null],
      [999_000, null],
    ]);
    expect(versions(result)).toBe('1');
    expect(result.readable).toBe(false);
    expect(result.models.get('m')?.gone).toBe(false);
  });
});

it('a scan is unsettled while looking again, with nothing changed, would change the picture', () => {
  const quiet = [
    [0, { m: '1' }],
    [1000, { m: '1' }],
  ] as const;
  expect(scanAll([[0, { m: '1' }]]).unsettled).toBe(true);
  expect(scanAll(quiet).unsettled).toBe(false);
  expect(scanAll([...quiet, [2000, { m: '' }]]).unsettled).toBe(true);
  expect(scanAll([...quiet, [2000, {}]]).unsettled).toBe(true);
  expect(scanAll([...quiet, [2000, null]]).unsettled).toBe(false);
});

describe('a version whose files came one by one', () => {
  /** The folder as it is made and filled: nothing of it is older than it. */
  const copied = { placedAt: undefined, changedAt: 1_000_000 };

  function watch(
    steps: readonly (readonly [now: number, folder: Folder, facts?: Partial<ArrivalFacts>])[],
    first: Partial<ScanOptions> = {},
  ): Scan {
    return steps.reduce((before, [now, folder, facts], i) => {
      const listing = list(folder, { ...copied, ...facts });
      return scan(before, listing, {
        moment: now,
        wall: 1_000_000 + now,
        settle,
        emptyFor,
        ...(i === 0 ? first : {}),
      });
    }, nothingScanned);
  }

  it('must stay the same five times as long', () => {
    const copy = [0, { m: '1' }] as const;
    expect(versions(watch([copy, [4999, { m: '1' }]]))).toBe('1?');
    expect(versions(watch([copy, [5000, { m: '1' }]]))).toBe('1');
  });

  it('must stay the same for twice its longest pause', () => {
    const steps = [
      [0, { m: '1' }],
      [4000, { m: '1b' }],
      [5000, { m: '1c' }],
    ] as const;
    expect(versions(watch([...steps, [12_999, { m: '1c' }]]))).toBe('1c?');
    expect(versions(watch([...steps, [13_000, { m: '1c' }]]))).toBe('1c');
  });

  it('and is overwritten much later, begins anew', () => {
    const steps = [
      [0, { m: '1' }],
      [4000, { m: '1b' }],
      [12_000, { m: '1b' }],
      [100_000, { m: '1c' }],
    ] as const;
    expect(versions(watch([...steps, [104_999, { m: '1c' }]]))).toBe('1c?');
    expect(versions(watch([...steps, [105_000, { m: '1c' }]]))).toBe('1c');
  });

  it('is told, until it is quiet', () => {
    const copy = [0, { m: '1' }] as const;
    const early = watch([copy, [1000, { m: '1' }]]);
    expect(early.waits).toEqual([expect.stringMatching(/^m version 1 was not renamed/)]);
    expect(watch([copy, [5000, { m: '1' }]]).waits).toEqual([]);
  });

  it('is told of no folder whose files are being deleted', () => {
    const steps = [
      [0, { m: '1' }],
      [5000, { m: '1' }],
      [6000, { m: '1b' }],
    ] as const;
    expect(versions(watch(steps))).toBe('1b?');
    expect(watch(steps).waits).toEqual([]);
    expect(watch([...steps, [7000, { m: '' }]]).waits).toEqual([]);
  });

  it.each([
    ['is whole where the folder was renamed after all in it', { placedAt: 1_000_000 }, true],
    ['is not where something in it is newer than that', { placedAt: 999_999 }, false],
    ['is whole where the folder is older than a look that did not find it', { madeAt: 999_000 }, true],
    ['is not where the folder is new', { madeAt: 999_990 }, false],
    ['is whole where it was last changed long ago', { changedAt: 995_500 }, true],
    ['is not where it was last changed a moment ago', { changedAt: 995_501 }, false],
    ['is not told by its times on a network mount', { changedAt: 0, clock: 'other' }, false],
    ['is told by a rename on a network mount', { placedAt: 1_000_001, clock: 'other' }, true],
  ] as const)('%s', (_, facts, isWhole) => {
    const steps = [
      [-500, {}],
      [500, { m: '1' }, facts],
      [1500, { m: '1' }, facts],
    ] as const;
    expect(versions(watch(steps))).toBe(isWhole ? '1' : '1?');
  });

  it.each([
    ['was last changed long ago', { changedAt: 995_000 }, true],
    ['was last changed a moment ago', { changedAt: 995_001 }, false],
    ['was renamed into place', { placedAt: 1_000_001 }, true],
    ['was last changed long ago, on a network mount', { changedAt: 935_000, clock: 'other' }, true],
    ['was last changed less than a minute ago there', { changedAt: 936_000, clock: 'other' }, false],
    ['seems to be of the future', { changedAt: 9_000_000, clock: 'other' }, false],
  ] as const)('is taken as quiet at start if it %s: %j %s', (_, facts, isQuiet) => {
    expect(versions(watch([[0, { m: '1' }, facts]], { atStart: true }))).toBe(isQuiet ? '1' : '1?');
  });

  it('is judged anew where another folder stands in its place', () => {
    const steps = [
      [0, { m: '1' }, { identity: 'a' }],
      [5000, { m: '1' }, { identity: 'a' }],
      [6000, { m: '1b' }, { identity: 'b', placedAt: 1_000_001 }],
      [7000, { m: '1b' }, { identity: 'b' }],
    ] as const;
    expect(versions(watch(steps))).toBe('1b');
  });
});

describe('with a complete_marker', () => {
  const config = { ...noModelConfig, complete_marker: '_SUCCESS' };
  const marked = { entries: ['saved_model.pb', '_SUCCESS'], placedAt: undefined, changedAt: 1_000_000 };
  const unmarked = { ...marked, entries: ['saved_model.pb'] };

  function watch(
    ...steps: readonly (readonly [now: number, text: string, facts: Partial<ArrivalFacts>])[]
  ): Scan {
    return steps.reduce((before, [now, text, facts]) => {
      const listing = list({ m: text }, facts);
      const models = listing.models?.map((model) => ({ ...model, config })) ?? [];
      return scan(before, { ...listing, models }, { moment: now, wall: 1_000_000 + now, settle, emptyFor });
    }, nothingScanned);
  }

  it('a version without it is not there, however long it stays the same', () => {
    const result = watch([0, '1', unmarked], [99_000, '1', unmarked]);
    expect([...result.models]).toEqual([]);
    expect(result.waits).toEqual(['m version 1 is not loaded until its folder holds a file _SUCCESS']);
    expect(result.unsettled).toBe(false);
  });

  it('a version with it must stay the same for --settle', () => {
    expect(versions(watch([0, '1', unmarked], [500, '1b', marked], [1499, '1b', marked]))).toBe('1b?');
    expect(versions(watch([0, '1', unmarked], [500, '1b', marked], [1500, '1b', marked]))).toBe('1b');
  });

  it('a version that loses it stays as it was, and is not loaded', () => {
    const steps = [
      [0, '1', marked],
      [1000, '1', marked],
      [9000, '1b', unmarked],
    ] as const;
    expect(versions(watch(...steps))).toBe('1?');
    expect(watch(...steps).unsettled).toBe(false);
    expect(versions(watch(...steps, [9500, '1c', marked], [10_500, '1c', marked]))).toBe('1c');
  });
});

it('a version that its source shows only when all of it is there is quiet at once, whatever it had before', () => {
  const config = { ...noModelConfig, complete_marker: '_SUCCESS' };
  const listing = (fingerprint: string): CheckedListing => ({
    models: [{ name: 'm', config, versions: [{ version: 1, place: 'm/1', fingerprint, arrival: 'whole' }] }],
    problems: [],
    unserved: [],
  });
  const times = { wall: 1_000_000, settle, emptyFor };
  const first = scan(nothingScanned, listing('a'), { ...times, moment: 0 });
  expect([versions(first), first.unsettled, first.waits]).toEqual(['1', false, []]);
  expect(versions(scan(first, listing('b'), { ...times, moment: 1 }))).toBe('1b');
});
