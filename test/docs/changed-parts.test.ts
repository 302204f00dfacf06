/** The tests that `make test-changed` chooses, besides those that import a change. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { foldersThatSee, SEEN_IN } from '../../scripts/test/parts.js';

const root = path.join(import.meta.dirname, '..', '..');
const exists = (file: string) => fs.existsSync(path.join(root, file));

it('names parts and folders that are there', () => {
  const named = Object.entries(SEEN_IN).flat(2);
  expect(named.filter((file) => !exists(file))).toEqual([]);
});

it('says of a BASE that is no commit what it must be', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/test-changed.js'], {
    cwd: root,
    env: { ...process.env, BASE: 'no-such-commit' },
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([
    2,
    expect.stringMatching(/^BASE: expected a commit.*`no-such-commit`.*\n$/),
  ]);
});

it('takes the folder of the same name and those of the table, and no other', () => {
  expect(foldersThatSee('src/control/manager.ts', exists)).toEqual(['test/control/', 'test/reload/']);
  expect(foldersThatSee('src/server.ts', exists)).toEqual(['test/http/', 'test/library/']);
  expect(foldersThatSee('src/programs/rehearse.ts', exists)).toEqual([]);
  expect(foldersThatSee('native-notes.md', exists)).toEqual([]);
});
