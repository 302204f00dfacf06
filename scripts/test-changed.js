/**
 * `node scripts/test-changed.js` runs the test files that changes are likely to break. It counts changes since the
 * branch left `main`, or on `main` itself since the last commit but one, and what is not committed. `BASE=COMMIT` sets
 * another start.
 *
 * It chooses the test files that changed, those that import a changed file, however indirectly, and the folders of
 * tests that start a server of the changed part (test/parts.js). A server may break in any folder, so this is only a
 * first look. It exits with 1 if a test fails.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { foldersThatSee } from './test/parts.js';
import { run } from './test/run.js';

const VITEST = 'node_modules/vitest/vitest.mjs';
/** These take minutes each: one installs the package from nothing, the other runs the documents. */
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
 * Ends the program if there is no such commit.
 * @param {string} commit as somebody wrote it
 */
function checkedCommit(commit) {
  const { status } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${commit}^{commit}`]);
  if (status === 0) return commit;
  console.error(
    `BASE: expected a commit of this repository, got \`${commit}\`; git log shows those there are`,
  );
  process.exit(2);
}

/** The commit from which changes are counted. */
function startOfChanges() {
  const hasMain = lines(['branch', '--list', 'main']).length > 0;
  const left = hasMain ? git(['merge-base', 'main', 'HEAD']) : git(['rev-parse', 'HEAD']);
  const isChanged = left !== git(['rev-parse', 'HEAD']) || git(['status', '--porcelain']) !== '';
  return isChanged ? left : git(['rev-parse', 'HEAD~1']);
}

/** The test files that changed, and those that import what changed. If package.json changed, it is all of them. */
async function importers() {
  const { createVitest } = await import('vitest/node');
  const vitest = await createVitest('test', { changed: base, watch: false });
  const specifications = await vitest.getRelevantTestSpecifications();
  await vitest.close();
  return specifications.map(({ moduleId }) => path.relative(root, moduleId));
}
