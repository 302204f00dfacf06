/**
 * `node scripts/check-comments.js` checks that what comments name can be found: each link is a name in the code of the
 * file, and each path is that of a file or folder. It prints one line for each name that is missing, and then
 * exits with 1.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const SOURCES = /^(src|scripts|test|bench|examples|native|clients)\/.*\.(ts|js|cc|h|py)$/;
/** A path from the root of the repository, or from a folder of src/, or the name of a file of ours. */
const PATHS = /(?<![\w./@$}{*<-])(?:[\w-]+\/)*[\w.-]*\w(?:\/|\.(?:ts|js|py|cc|h|md|svg))(?![\w/*$<{-])/g;
/** Files of other projects and of users. */
const FOREIGN = new Set(
  `handler.ts model.ts labels.ts tf.js Node.js node.js TensorFlow.js index.ts index.js LICENSE.md README.md napi.h node_api.h`.split(
    ' ',
  ),
);

/**
 * @typedef {{ line: number, text: string }} Comment
 * @param {string} text
 * @returns {{ comments: Comment[], code: string }}
 */
export function splitComments(text) {
  /** @type {Comment[]} */
  const comments = [];
  /** @type {string[]} */
  const code = [];
  let isInBlock = false;
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trimStart();
    if (isInBlock || trimmed.startsWith('/*')) {
      comments.push({ line: i + 1, text: line });
      isInBlock = !line.includes('*/');
      continue;
    }
    const start = /(^|\s)(\/\/|# )/.exec(line)?.index ?? line.length;
    code.push(line.slice(0, start));
    if (start < line.length) comments.push({ line: i + 1, text: line.slice(start) });
  }
  return { comments, code: code.join('\n') };
}

/**
 * @param {string} file
 * @param {ReturnType<typeof splitComments>} parts
 * @param {ReadonlyMap<string, string>} codes the code of each file
 */
export function checkLinks(file, { comments, code }, codes) {
  return comments.flatMap(({ line, text }) =>
    [...text.matchAll(/\{@link ([\w.]+)/g)]
      .filter(([, name = '']) => !isKnown(name, code, codes))
      .map(([, name]) => `${file}:${line}: {@link ${name}}: expected a name in the code of this file`),
  );
}

/**
 * @param {string} name such as `Rows.dealt`
 * @param {string} code
 * @param {ReadonlyMap<string, string>} codes
 */
function isKnown(name, code, codes) {
  const [owner = '', member] = name.split('.');
  if (!hasWord(code, owner)) return false;
  if (member === undefined) return true;
  const declaration = new RegExp(`\\b(class|interface|type|const|function)\\s+${owner}\\b`);
  return [...codes.values()].some((each) => declaration.test(each) && hasWord(each, member));
}

/**
 * @param {string} code
 * @param {string} word
 */
function hasWord(code, word) {
  return new RegExp(`\\b${word}\\b`).test(code);
}

/**
 * @param {string} file
 * @param {readonly Comment[]} comments
 * @param {ReadonlySet<string>} known all files and folders, from the root
 */
export function checkPaths(file, comments, known) {
  const folders = ['', 'src/', `${path.posix.dirname(file)}/`];
  const names = new Set([...known].map((each) => path.posix.basename(each)));
  return comments.flatMap(({ line, text }) =>
    [...text.replace(/https?:\S+/g, '').matchAll(PATHS)]
      .map(([found]) => found.replace(/\/$/, ''))
      .filter((found) => isOurs(found, known) && !isForeign(path.posix.basename(found)))
      .filter((found) => !folders.some((folder) => known.has(path.posix.join(folder, found))))
      .filter((found) => found.includes('/') || !names.has(found))
      .map((found) => `${file}:${line}: there is no ${found}`),
  );
}

/**
 * A name in capitals stands for any name: `scripts/NAME.py`.
 * @param {string} name
 */
function isForeign(name) {
  return FOREIGN.has(name) || /^[A-Z_]+\.\w+$/.test(name);
}

/**
 * A path is ours if it begins with a folder of the repository or of src/; a bare name, if it is one of a script.
 * @param {string} found
 * @param {ReadonlySet<string>} known
 */
function isOurs(found, known) {
  if (!found.includes('/')) return /\.(ts|js|md)$/.test(found);
  const [first = ''] = found.split('/');
  return known.has(first) || known.has(`src/${first}`);
}

if (process.argv[1] === import.meta.filename) {
  const root = path.join(import.meta.dirname, '..');
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = listed
    .split('\0')
    .filter((file) => fs.statSync(path.join(root, file), { throwIfNoEntry: false })?.isFile());
  const known = new Set(['build', 'dist', 'node_modules', ...files.flatMap(withFolders)]);
  const parts = new Map(
    files
      .filter((file) => SOURCES.test(file))
      .map((file) => [file, splitComments(fs.readFileSync(path.join(root, file), 'utf8'))]),
  );
  const codes = new Map([...parts].map(([file, { code }]) => [file, code]));
  const problems = [...parts].flatMap(([file, each]) => [
    ...checkLinks(file, each, codes),
    ...checkPaths(file, each.comments, known),
  ]);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

/** @param {string} file */
function withFolders(file) {
  const names = file.split('/');
  return names.map((_, i) => names.slice(0, i + 1).join('/'));
}
