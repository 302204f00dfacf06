/**
 * `node scripts/check-docs.js` checks that what the documents name can be found: links and their anchors, paths of the
 * repository, make targets, and the program's flags. It checks that test/docs runs each code block, or that the document
 * says why not, and that a document and its twin in another language say the same. It refuses files that name a folder
 * of one machine or the host of a package registry. It prints one line for each problem, and then exits with 1.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { anchorOf } from './docs/anchor.js';
import { readDocument } from './docs/blocks.js';
import { checkTwins, originalOf } from './docs/twins.js';

const DOCUMENTS = /^(README|CHANGELOG|CONTRIBUTING|DEVELOPMENT\w*)\.md$|^(docs|native|test\/models)\/.*\.md$/;
const REPOSITORY_PATH = /^(src|scripts|docs|native|test|saved_models|bench|clients|deploy|web)\/[\w./-]*$/;

/** Flags of other programs that the documents mention (curl, git, docker, pip, npm, locust), and those of TensorFlow's variables. */
const FOREIGN_COMMAND =
  /\b(curl|git|docker|pip|npm|npx|apt-get|dnf|xcode-select|g\+\+|clang\+\+|tar|rsync|wrk|locust|install\.js|test\.js|bench\.js|TF_XLA_FLAGS)\b/;

/** These are written in pieces, because this file is checked, too. */
const FORBIDDEN = [
  {
    what: 'a folder of one machine',
    pattern: new RegExp(['/ro', 'ot/|/ho', 'me/[a-z]|/Us', 'ers/[A-Za-z]'].join('')),
  },
  {
    what: 'the host of a package registry',
    pattern: new RegExp(
      ['registry\\.npm', 'js|files\\.python', 'hosted|\\bpypi\\.', 'org\\b|registry\\.yarn', 'pkg'].join(''),
    ),
  },
];

/**
 * @param {string} root
 * @param {{ files: readonly string[], targets: ReadonlySet<string>, flags: ReadonlySet<string> | null }} known
 *   `flags`: null where the program cannot be asked
 * @returns {string[]}
 */
export function checkDocuments(root, { files, targets, flags }) {
  const documents = files.filter((file) => DOCUMENTS.test(file));
  return documents.flatMap((file) => {
    const text = fs.readFileSync(path.join(root, file), 'utf8');
    return [
      ...checkLinks(root, file, text),
      ...checkPaths(root, text),
      ...checkTargets(text, targets),
      ...(flags === null ? [] : checkFlags(text, flags)),
    ].map((problem) => `${file}: ${problem}`);
  });
}

/**
 * @param {string} root
 * @param {string} file
 * @param {string} text
 */
function checkLinks(root, file, text) {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [target = '', anchor] = link.split('#');
    const linked = target === '' ? file : path.posix.join(path.posix.dirname(file), target);
    if (!fs.existsSync(path.join(root, linked))) return [`the link ${link} leads nowhere`];
    if (anchor === undefined || !linked.endsWith('.md')) return [];
    return anchorsOf(fs.readFileSync(path.join(root, linked), 'utf8')).has(anchor)
      ? []
      : [`the link ${link} names a heading that ${linked} does not have`];
  });
}

/** @param {string} text */
function anchorsOf(text) {
  const headings = [...withoutCode(text, 'blocks').matchAll(/^#+\s+(.+)$/gm)].map(
    ([, heading = '']) => heading,
  );
  return new Set(headings.map(anchorOf));
}

/**
 * @param {string} root
 * @param {string} text
 */
function checkPaths(root, text) {
  const sources = path.join(root, 'src');
  return [...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => {
    const [first = '', ...rest] = code.split('/');
    const isSource = /^\w[\w./-]*$/.test(code) && rest.length > 0 && fs.existsSync(path.join(sources, first));
    const folders = REPOSITORY_PATH.test(code) ? [root] : isSource ? [sources, root] : [];
    const isThere = folders.some((folder) => fs.existsSync(path.join(folder, code)));
    return folders.length === 0 || isThere ? [] : [`there is no ${code}`];
  });
}

/**
 * @param {string} text
 * @param {ReadonlySet<string>} targets
 */
function checkTargets(text, targets) {
  const code = [...text.matchAll(/`[^`\n]*`|^```[\s\S]*?^```/gm)].map(([match]) => match).join('\n');
  return [...code.matchAll(/\bmake ([a-z][a-z-]*)/g)]
    .filter(([, target = '']) => !targets.has(target))
    .map(([call]) => `the Makefile has no target for \`${call}\``);
}

/**
 * @param {string} text
 * @param {ReadonlySet<string>} flags
 */
function checkFlags(text, flags) {
  // Comments are run, and not read.
  const read = text.replace(/<!--[\s\S]*?-->/g, '');
  const lines = read.split('\n').filter((line) => !FOREIGN_COMMAND.test(line));
  return [...lines.join('\n').matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)]
    .filter(([flag]) => !flags.has(flag))
    .map(([flag]) => `no command has a flag ${flag}`);
}

/**
 * @param {string} text
 * @param {'all' | 'blocks'} [extent]
 */
function withoutCode(text, extent = 'all') {
  const withoutBlocks = text.replace(/^```[\s\S]*?^```/gm, '');
  return extent === 'all' ? withoutBlocks.replace(/`[^`\n]*`/g, '') : withoutBlocks;
}

/**
 * Finds code blocks that nobody could follow, in every document whose blocks are its own.
 * @param {string} root
 * @param {readonly string[]} files
 * @returns {string[]}
 */
export function checkBlocks(root, files) {
  return files.filter(isDocument).flatMap((file) => {
    if (originalOf(file, files) !== null) return [];
    const { problems } = readDocument(fs.readFileSync(path.join(root, file), 'utf8'));
    return problems.map(({ line, message }) => `${file}:${line}: ${message}`);
  });
}

/**
 * @param {string} root of a checkout
 * @returns {string[]} all its documents, but those whose blocks are another's
 */
export function documentsOf(root) {
  const documents = repositoryFiles(root).filter(isDocument);
  return documents.filter((file) => originalOf(file, documents) === null);
}

/** @param {string} file */
function isDocument(file) {
  return file.endsWith('.md');
}

/**
 * @param {string} root
 * @param {readonly string[]} files
 * @returns {string[]}
 */
export function checkForbidden(root, files) {
  return files.flatMap((file) => {
    const content = fs.readFileSync(path.join(root, file));
    if (content.includes(0)) return []; // not a text
    const lines = content.toString('utf8').split('\n');
    return lines.flatMap((line, i) =>
      FORBIDDEN.filter(({ pattern }) => pattern.test(line)).map(
        ({ what }) => `${file}:${i + 1}: names ${what}`,
      ),
    );
  });
}

/**
 * Every file that is or would be committed.
 * @param {string} root
 */
function repositoryFiles(root) {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter((file) => file !== '' && fs.statSync(path.join(root, file), { throwIfNoEntry: false })?.isFile());
}

/** @param {string} root */
function makeTargets(root) {
  const makefile = fs.readFileSync(path.join(root, 'Makefile'), 'utf8');
  return new Set([...makefile.matchAll(/^([a-z][a-z-]*):/gm)].map(([, target = '']) => target));
}

/**
 * The flags of all commands.
 * @param {string} root
 */
function programFlags(root) {
  const main = path.join(root, 'dist', 'main.js');
  if (!fs.existsSync(main)) return null;
  /** @param {string[]} args */
  const help = (...args) => execFileSync(process.execPath, [main, 'help', ...args], { encoding: 'utf8' });
  const usage = help();
  const commands = [...usage.matchAll(/^ {2}tfjs-serving ([a-z]+)/gm)].map(([, name = '']) => name);
  const texts = [usage, ...commands.filter((name) => name !== 'help').map((name) => help(name))];
  return new Set([...texts.join('\n').matchAll(/--[a-z][a-z-]+/g)].map(([flag]) => flag));
}

if (process.argv[1] === import.meta.filename) {
  const root = path.join(import.meta.dirname, '..');
  const files = repositoryFiles(root);
  const problems = [
    ...checkDocuments(root, { files, targets: makeTargets(root), flags: programFlags(root) }),
    ...checkBlocks(root, files),
    ...checkTwins(root, files),
    ...checkForbidden(root, files),
  ];
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
