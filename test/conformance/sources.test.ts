/** The checks of a source, for a folder and for one of an application. Then sources that break the contract. */
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SourceExample, sourceChecks } from '#dist/conformance/index.js';
import { createLogger, type Source } from '#dist/index.js';
import { contentsOf } from '#dist/stores/folder/contents.js';
import { FolderSource } from '#dist/stores/folder/folder-source.js';
import { linearEngine } from '../../examples/linear-engine.ts';
import { ZipSource } from '../../examples/zip-source.ts';
import { encodeZip } from '../../src/codec/numpy/zip-encode.ts';

const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-sources-'));
const folder = path.join(root, 'models');
const zip = path.join(root, 'models.zip');

beforeAll(async () => {
  await mkdir(path.join(root, 'cache'));
  await publish(1);
  await pack(1);
});

afterAll(() => rm(root, { recursive: true }));

async function publish(version: number): Promise<void> {
  const staged = path.join(root, 'staged');
  await mkdir(staged);
  await writeFile(path.join(staged, 'linear.json'), JSON.stringify({ weights: [[version]], bias: [0] }));
  await mkdir(path.join(folder, 'linear'), { recursive: true });
  await rename(staged, path.join(folder, 'linear', String(version)));
}

async function pack(...versions: readonly number[]): Promise<void> {
  const entries = versions.map((version) => {
    const bytes = Buffer.from(JSON.stringify({ weights: [[version]], bias: [0] }));
    const content = { byteLength: bytes.length, pieces: () => [bytes] };
    return { path: Buffer.from(`linear/${version}/linear.json`), content };
  });
  await writeFile(`${zip}.new`, Buffer.concat([...encodeZip(entries).pieces]));
  await rename(`${zip}.new`, zip);
}

const zipSource = new ZipSource(zip, path.join(root, 'cache'));

const folderSource = new FolderSource({
  ...{ root: folder, watch: 'poll', pollInterval: 100, allowedRoots: [folder] },
  contents: contentsOf([linearEngine as never], undefined),
  logger: createLogger({ level: 'silent', format: 'text' }),
});

it.each([...sourceChecks(folderSource, { change: () => publish(2) })])('a folder: $name', ({ run }) => run());

it.each([...sourceChecks(zipSource, { change: () => pack(1, 2) })])('a zip file: $name', ({ run }) => run());

describe('a source that does not keep to it', () => {
  /** The checks that it does not pass. */
  async function unmetBy(change: Partial<Source>, example: SourceExample = {}): Promise<string[]> {
    const source: Source = {
      name: zip,
      list: () => zipSource.list(),
      materialise: (version) => zipSource.materialise(version),
      ...change,
    };
    const checks = sourceChecks(source, example);
    const outcomes = await Promise.allSettled(checks.map(({ run }) => run()));
    return checks.flatMap(({ name }, i) => (outcomes[i]?.status === 'rejected' ? name : []));
  }

  it('is told that it lists versions twice', async () => {
    const list = async () => {
      const listing = await zipSource.list();
      return { ...listing, models: [...(listing.models ?? []), ...(listing.models ?? [])] };
    };
    expect(await unmetBy({ list })).toContain('lists models and their versions');
  });

  it('is told that its fingerprints change by themselves', async () => {
    let looks = 0;
    const list = async () => {
      const listing = await zipSource.list();
      looks += 1;
      const models = listing.models?.map(({ versions, ...model }) => ({
        ...model,
        versions: versions?.map((version) => ({ ...version, fingerprint: `${looks}` })),
      }));
      return { ...listing, models };
    };
    expect(await unmetBy({ list })).toContain('lists the same while nothing changes');
  });

  it('is told that it gives whatever lies there', async () => {
    const directory = path.join(root, 'kept');
    await cp(path.join(folder, 'linear', '1'), directory, { recursive: true });
    expect(await unmetBy({ materialise: async () => ({ directory }) })).toEqual([
      'refuses contents that are there no more',
      'refuses a version that there is not',
    ]);
  });

  it('is told that it takes files away that somebody else has', async () => {
    const directory = path.join(root, 'shared');
    const materialise: Source['materialise'] = async (version) => {
      const local = await zipSource.materialise(version);
      await cp(local.directory, directory, { recursive: true });
      await local.release?.();
      return { directory, release: () => rm(directory, { recursive: true }) };
    };
    const [keeps] = sourceChecks({ name: zip, list: () => zipSource.list(), materialise }).filter(
      ({ name }) => name === 'keeps files that somebody else still has',
    );
    await expect(keeps?.run()).rejects.toThrow('ENOENT');
  });

  it('is told that it shows no change, and has a path of nothing', async () => {
    const change = async () => {};
    const locate: Source['locate'] = async (place) => ({ version: 1, place, fingerprint: 'of nothing' });
    expect(await unmetBy({ locate }, { change })).toEqual([
      'finds nothing at a path of nothing',
      'shows a change',
    ]);
  });
});
