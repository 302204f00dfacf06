/**
 * What makes a version another one: on local disks, and through FUSE mounts, whose inodes and ctimes mean nothing.
 */

import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { savedModelFormat } from '../../src/engines/tensorflow/saved-model/format.ts';
import { type FolderFacts, fingerprintOf, readFolderFacts } from '../../src/stores/folder/fingerprint.ts';
import { canMountFuse, mountFuse, unmount } from '../fixtures/fuse.ts';
import { testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const contents = { formats: [savedModelFormat] as const, handlers: undefined };

const variablesIndex = path.join('variables', 'variables.index');

let root: string;
/** The version's folder on the local disk. */
let version: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-fingerprint-'));
  version = path.join(root, 'models', 'policy', '1');
  await cp(path.join(testModels, 'versioned', '1'), version, { recursive: true });
  // A whole second, which every file system can keep.
  for (const name of ['saved_model.pb', variablesIndex, 'assets/offset.txt'])
    await utimes(path.join(version, name), 1_700_000_000, 1_700_000_000);
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

/** Writes a file anew: another inode and ctime, the same modification time. */
async function replace(
  name: string,
  change: (contents: Buffer) => Buffer = (contents) => contents,
): Promise<void> {
  const file = path.join(version, name);
  const { atime, mtime } = await stat(file);
  await writeFile(`${file}.new`, change(await readFile(file)));
  await utimes(`${file}.new`, atime, mtime);
  await rename(`${file}.new`, file);
}

function flipped(contents: Buffer): Buffer {
  contents[0] = (contents[0] ?? 0) ^ 1;
  return contents;
}

function facts(directory: string): Promise<FolderFacts> {
  return readFolderFacts(directory, [path.dirname(directory)], undefined, contents);
}

describe('on a local disk', () => {
  it('a file that is replaced makes another version, although its time was kept', async () => {
    const before = await fingerprintOf(version, undefined, contents);
    expect(await fingerprintOf(version, undefined, contents)).toBe(before);
    await replace('assets/offset.txt');
    expect(await fingerprintOf(version, undefined, contents)).not.toBe(before);
  });

  it('a rename is told by the times, and keeps what is in the folder as it was', async () => {
    const staged = await facts(version);
    const renamed = path.join(root, 'models', 'policy', '2');
    await rename(version, renamed);
    const { fingerprint, identity, changedAt, placedAt, storage } = await facts(renamed);
    expect({ fingerprint, identity, changedAt, storage }).toEqual({
      ...{ fingerprint: staged.fingerprint, identity: staged.identity, changedAt: staged.changedAt },
      storage: 'local',
    });
    expect(placedAt).toBeGreaterThanOrEqual(changedAt);
  });

  it('a folder that is filled in its place is newer than nothing in it', async () => {
    const target = path.join(root, 'models', 'policy', '2');
    await mkdir(path.join(target, 'assets'), { recursive: true });
    await writeFile(path.join(target, 'saved_model.pb'), 'a');
    await writeFile(path.join(target, 'assets', 'vocabulary.txt'), 'a');
    const { changedAt, placedAt } = await facts(target);
    expect(placedAt ?? 0).toBeLessThan(changedAt);
  });
});

describe.runIf(canMountFuse())('through a FUSE mount', () => {
  let mounted: string;
  let seen: string;

  beforeEach(async () => {
    mounted = path.join(root, 'mounted');
    await mountFuse(path.join(root, 'models'), mounted);
    seen = path.join(mounted, 'policy', '1');
  });

  afterEach(() => {
    unmount(mounted);
  });

  it('other inodes and ctimes make no other version', async () => {
    const before = await facts(seen);
    const { ino } = await stat(path.join(seen, 'saved_model.pb'));
    for (const name of ['saved_model.pb', variablesIndex, 'assets/offset.txt']) await replace(name);
    expect((await stat(path.join(seen, 'saved_model.pb'))).ino).not.toBe(ino);
    const { fingerprint, storage, identity, placedAt } = await facts(seen);
    expect({ fingerprint, storage, identity, placedAt }).toEqual({
      fingerprint: before.fingerprint,
      ...{ storage: 'fuse', identity: undefined, placedAt: undefined },
    });
  });

  it.each([
    ['a later time', () => utimes(path.join(version, 'assets/offset.txt'), 1_700_000_001, 1_700_000_001)],
    ['another size', () => writeFile(path.join(version, 'assets/offset.txt'), '12345')],
    ['another file', () => writeFile(path.join(version, 'assets/more.txt'), '')],
    ['other contents of saved_model.pb at the same time', () => replace('saved_model.pb', flipped)],
    ['other contents of variables.index at the same time', () => replace(variablesIndex, flipped)],
  ])('%s makes another version', async (_, change) => {
    const before = await fingerprintOf(seen, undefined, contents);
    await change();
    expect(await fingerprintOf(seen, undefined, contents)).not.toBe(before);
  });

  it('is told for each version: one may be a link to a mount', async () => {
    const link = path.join(root, 'models', 'policy', '2');
    await symlink(seen, link);
    expect(await facts(version)).toMatchObject({ storage: 'local' });
    const before = await facts(link);
    expect(before).toMatchObject({ storage: 'fuse' });
    await replace('assets/offset.txt');
    expect((await facts(link)).fingerprint).toBe(before.fingerprint);
  });

  it('a server serves, does not load again when inodes change, and takes what comes', async () => {
    const server = await TestServer.start({ args: ['--model-path', mounted, '--settle', '0.2'] });
    try {
      expect(server.log).toContain('is on FUSE');
      const model = async () => (await server.get('/models/policy')).body;
      expect(await model()).toMatchObject({ version: 1, generation: 1 });
      for (const name of ['saved_model.pb', variablesIndex, 'assets/offset.txt']) await replace(name);
      expect((await server.update({})).status).toBe(200);
      expect(await model()).toMatchObject({ version: 1, generation: 1 });
      await cp(version, path.join(root, 'models', '.2'), { recursive: true });
      await rename(path.join(root, 'models', '.2'), path.join(root, 'models', 'policy', '2'));
      await until(async () => (await model()).version === 2, 'version 2 to serve');
    } finally {
      await server.stop();
    }
  });
});
