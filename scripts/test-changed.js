/**
 * `node scripts/test-changed.js`: the test files that changes are likely to break. Changes are those since the branch left
 * `main`, or since the last commit but one on `main` itself, and what is not committed; `BASE=COMMIT` says another start.
 *
 * Chosen are the test files that changed, those that import a changed file, however indirectly, and the folders of
 * tests that start a server of the changed part (test/parts.js). A server may break in any folder: this is a first look.
 * Exit code 1 if a test fails.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { foldersThatSee } from './test/parts.js';
import { run } from './test/run.js';

const VITEST = 'node_modules/vitest/vitest.mjs';
/** They take minutes each: the one installs the package anew, the other runs the documents. */
const LEFT_TO_MAKE_TEST = ['test/package/', 'test/docs/'];
const root = path.join(import.meta.dirname, '..');
process.chdir(root);

const base = process.env['BASE'] ? checkedCommit(process.env['BASE']) : startOfChanges();
const changed = [
  ...lines(['diff', '--name-only', base]),
  ...lines(['ls-files', '--others', '--exclude-standard']),
];
const folders = [...new Set(changed.flatMap((file) => foldersThatSee(file, fs.existsSync)))];
const files = (await importers()).filter((test) => !isBelow(test, [...folders, ...LEFT_TO_MAKE_TEST]));
const chosen = [...folders, ...files].sort();
console.log(`${changed.length} files changed since ${base}; tests:`);
for (const test of chosen) console.log(`  ${test}`);
console.log(
  `not among them: ${LEFT_TO_MAKE_TEST.join(', ')}, Python, other folders with servers: make test has all`,
);
if (chosen.length > 0) process.exitCode = (await run(process.execPath, [VITEST, 'run', ...chosen])) ? 0 : 1;

/**
 * @param {string} file
 * @param {readonly string[]} folders
 */
function isBelow(file, folders) {
  return folders.some((folder) => file.startsWith(folder));
}

/** @param {readonly string[]} args of git */
function git(args) {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

/** @param {readonly string[]} args of git */
function lines(args) {
  return git(args).split('\n').filter(Boolean);
}

/**
 * @param {string} commit as somebody wrote it
 * @returns {string} the same; ends the program if there is no such commit
 */
function checkedCommit(commit) {
  const { status } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${commit}^{commit}`]);
  if (status === 0) return commit;
  console.error(
    `BASE: expected a commit of this repository, got \`${commit}\`; git log shows those there are`,
  );
  process.exit(2);
}

/** The commit that changes are counted from. */
function startOfChanges() {
  const hasMain = lines(['branch', '--list', 'main']).length > 0;
  const left = hasMain ? git(['merge-base', 'main', 'HEAD']) : git(['rev-parse', 'HEAD']);
  const isChanged = left !== git(['rev-parse', 'HEAD']) || git(['status', '--porcelain']) !== '';
  return isChanged ? left : git(['rev-parse', 'HEAD~1']);
}

/** The test files that changed, and those that import what changed. A changed package.json makes it all of them. */
async function importers() {
  const { createVitest } = await import('vitest/node');
  const vitest = await createVitest('test', { changed: base, watch: false });
  const specifications = await vitest.getRelevantTestSpecifications();
  await vitest.close();
  return specifications.map(({ moduleId }) => path.relative(root, moduleId));
}
