/**
 * What is quiet, gone or only out of sight: a pure function of listings and the clock.
 */
import { describe, expect, it } from 'vitest';
import type { Listing, ModelListing } from '../../src/repository/listing.ts';
import { nothingScanned, type Scan, scan } from '../../src/repository/scan.ts';
import { noModelConfig } from '../../src/repository/serving-json.ts';

const settle = 1000;
const emptyFor = 30_000;

/** `{m: '1 2b'}`: model m with versions 1 and 2, the latter with other contents; `2!` cannot be read; null: the folder cannot. */
type Folder = Readonly<Record<string, string | null>>;

function list(folder: Folder | null): Listing {
  const problems = folder ? [] : ['unreadable'];
  const models =
    folder &&
    Object.entries(folder).map(([name, text]): ModelListing => {
      const versions = text
        ?.split(' ')
        .filter(Boolean)
        .map((each) => {
          const [, number, contents, mark] = /^(\d+)([a-z]?)(!?)$/.exec(each) ?? [];
          const place = { version: Number(number), directory: `/${name}/${number}` };
          return mark ? place : { ...place, fingerprint: contents || 'a' };
        });
      return { name, versions, config: noModelConfig };
    });
  return { layout: 'repository', models: models ?? undefined, config: {}, problems, unserved: [] };
}

/** Scans one listing after another. */
function scanAll(steps: readonly (readonly [at: number, folder: Folder | null])[]): Scan {
  return steps.reduce(
    (before, [now, folder]) => scan(before, list(folder), { now, settle, emptyFor }),
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

describe('a version', () => {
  it('is quiet once two listings far enough apart found it the same', () => {
    expect(versions(scanAll([[0, { m: '1' }]]))).toBe('1?');
    expect(
      versions(
        scanAll([
          [0, { m: '1' }],
          [999, { m: '1' }],
        ]),
      ),
    ).toBe('1?');
    expect(
      versions(
        scanAll([
          [0, { m: '1' }],
          [1000, { m: '1' }],
        ]),
      ),
    ).toBe('1');
  });

  it('starts anew with every change of its contents', () => {
    expect(
      versions(
        scanAll([
          [0, { m: '1' }],
          [900, { m: '1b' }],
          [1800, { m: '1b' }],
        ]),
      ),
    ).toBe('1b?');
    expect(
      versions(
        scanAll([
          [0, { m: '1' }],
          [900, { m: '1b' }],
          [1900, { m: '1b' }],
        ]),
      ),
    ).toBe('1b');
  });

  it('that is missing once is not gone, and is as it was when it comes back', () => {
    const steps = [
      [0, { m: '1 2' }],
      [1000, { m: '1 2' }],
      [2000, { m: '1' }],
    ] as const;
    expect(versions(scanAll(steps))).toBe('1 2?');
    expect(versions(scanAll([...steps, [2500, { m: '1 2' }]]))).toBe('1 2');
  });

  it('that is missing twice, far enough apart, is gone', () => {
    const steps = [
      [0, { m: '1 2' }],
      [2000, { m: '1' }],
      [2500, { m: '1' }],
    ] as const;
    expect(versions(scanAll(steps))).toBe('1 2?');
    expect(versions(scanAll([...steps, [3000, { m: '1' }]]))).toBe('1');
  });

  it('that cannot be read stays as it was, for as long as that lasts', () => {
    expect(
      versions(
        scanAll([
          [0, { m: '1 2' }],
          [1000, { m: '1 2' }],
          [9000, { m: '1 2!' }],
          [99_000, { m: '1 2!' }],
        ]),
      ),
    ).toBe('1 2');
    expect(versions(scanAll([[0, { m: '1 2!' }]]))).toBe('1?');
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
    expect(
      versions(
        scanAll([
          [0, { m: '1' }],
          [1000, { m: '1' }],
          [99_000, { m: null }],
        ]),
      ),
    ).toBe('1');
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
    expect(versions(scanAll([...steps, [20_000, { m: '1' }]]))).toBe('1');
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
