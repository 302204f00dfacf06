/**
 * A link to `/proc` in the folder of models: it holds a number for each process, and thousands of files below each.
 */

import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { savedModelFormat } from '../../src/engines/tensorflow/saved-model/format.ts';
import { isOfKernel } from '../../src/stores/folder/file-system.ts';
import { readListing } from '../../src/stores/folder/listing.ts';

it.runIf(process.platform === 'linux')('is no model, and not looked into', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-proc-'));
  try {
    const link = path.join(root, 'processes');
    await symlink('/proc', link);
    expect(await isOfKernel(link)).toBe(true);
    expect(await isOfKernel(root)).toBe(false);
    expect(await isOfKernel(path.join(root, 'missing'))).toBe(false);
    const { models, folders } = await readListing(
      root,
      { formats: [savedModelFormat], handlers: undefined },
      'repository',
    );
    expect(models?.flatMap(({ versions }) => versions ?? []).length ?? 0).toBeLessThan(5);
    expect(folders.length).toBeLessThan(10);
  } finally {
    await rm(root, { recursive: true });
  }
});
