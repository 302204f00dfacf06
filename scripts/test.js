/**
 * `node scripts/test.js [--fast]` checks everything, stage by stage. --fast runs the part that takes under a minute.
 *
 * Every stage runs, even if one before it failed. A test runner counts its tests, and any other stage counts as one.
 * The last line is "N passed, N failed". `NODES="22 26"` sets the other versions of Node.js to test under, and `NODES=`
 * sets none.
 */
import fs from 'node:fs';
import path from 'node:path';

import { layoutOf } from './install/layout.js';
import { fetchNode, isNewest, otherNodes } from './test/node-versions.js';
import { pythonEnvironment } from './test/python-environment.js';
import { run } from './test/run.js';
import { withServer } from './test/server-process.js';

/** @typedef {{ passed: number, failed: number }} Tally */

const { root, cache, build, addon } = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const results = path.join(build, 'test');
const pythonTestFolders = ['test/python', 'clients/python/tests'];
/**
 * These run under one Node.js only: the first installs the package with an empty cache, the other does what the
 * documents say.
 */
const PACKAGE = 'test/package';
const DOCUMENTS = 'test/docs';
const WITHOUT_ONCE = without([PACKAGE, DOCUMENTS]);
/**
 * The tests of what Node.js itself provides: HTTP, files, processes, the addon. TensorFlow and plain JavaScript are the
 * same under any Node.js.
 */
const OF_NODE = without([
  ...[PACKAGE, DOCUMENTS],
  ...[
    ...['codec', 'engines', 'hostile', 'jax', 'operations', 'serving/queue', 'soak', 'tensors'],
    // In these, the browser, npm, Prometheus and the control plane take the time. Tests of how files are seen stay: arrivals,
    // copies, watching.
    ...[
      'surfaces/own/docs',
      'surfaces/own/profile',
      'handlers/digits',
      'handlers/handlers',
      'install/install',
      'deploy',
    ],
    ...[
      'gate',
      'hiccups',
      'hung-load',
      'memory-limit',
      'rehearsal',
      'retry',
      'serving-json',
      'update-model',
    ].map((name) => `reload/${name}`),
  ].map((name) => `test/${name}`),
]);
/** The number of worker threads that end under the sanitizer, in each of its two ways. Run by hand, it does 100. */
const SANITIZED_ROUNDS = '30';
const clientSources = path.join(root, 'clients', 'python', 'src');
/**
 * What failed in the suites, told once more at the end, where one looks first.
 * @type {string[]}
 */
const failures = [];
process.chdir(root);
fs.mkdirSync(results, { recursive: true });

/** @type {[name: string, stage: () => Promise<boolean | Tally>][]} */
const fast = [
  ['style', () => run(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'ci', '.'])],
  ['types', () => checkTypes('tsconfig.test.json')],
  ['types of the benchmarks', () => checkTypes('tsconfig.bench.json')],
  ['layers', () => run(process.execPath, ['scripts/check-layers.js'])],
  ['lock file', () => run(process.execPath, ['scripts/check-lock.js'])],
  ['documents', () => run(process.execPath, ['scripts/check-docs.js'])],
  ['comments', () => run(process.execPath, ['scripts/check-comments.js'])],
  ['warnings of native/', () => run(process.execPath, ['scripts/check-warnings.js'])],
  // The install step only warns if the addon does not compile, because the server can run without it.
  ['TypeScript client', () => run(process.execPath, ['scripts/check-client.js'])],
  ['native addon is there', async () => fs.existsSync(addon)],
];

/** @type {typeof fast} */
const slow = [
  ['suite', () => suite(process.execPath)],
  ['package, documents run', () => suite(process.execPath, [PACKAGE, DOCUMENTS])],
  ['Python', pythonTests],
  ['native/ under AddressSanitizer', sanitize],
  ...otherNodes(process.env['NODES']).map(
    (major) => /** @type {typeof fast[number]} */ ([`Node.js ${major}`, () => underNode(major)]),
  ),
];

/**
 * The options of vitest that leave out folders, or files given without their ending. vitest does not report a name that
 * does not exist.
 * @param {readonly string[]} names
 */
function without(names) {
  return names.flatMap((name) => {
    if (fs.existsSync(path.join(root, name))) return ['--exclude', `${name}/**`];
    if (fs.existsSync(path.join(root, `${name}.test.ts`))) return ['--exclude', `${name}.test.ts`];
    throw new Error(`no tests are in ${name}`);
  });
}

/**
 * Runs the vitest suite under a Node.js. The servers that the tests start run under the same one.
 * @param {string} node
 * @param {readonly string[]} [selection] of test files
 * @returns {Promise<Tally>}
 */
async function suite(node, selection = WITHOUT_ONCE) {
  const report = path.join(results, 'vitest.json');
  fs.rmSync(report, { force: true });
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    ...selection,
  ];
  const succeeded = await run(node, [...args, `--outputFile.json=${report}`]);
  if (!fs.existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
    fs.readFileSync(report, 'utf8'),
  );
  if (numPendingTests > 0) console.log(`${numPendingTests} skipped`);
  for (const file of testResults) {
    const where = path.relative(root, file.name);
    if (file.status === 'failed' && file.message) failures.push(`${where}: ${file.message}`);
    for (const { status, fullName, failureMessages } of file.assertionResults) {
      if (status === 'failed') failures.push(`${where}: ${fullName}\n${failureMessages.join('\n')}`);
    }
  }
  // A file that cannot be loaded fails without a failed test.
  return { passed: numPassedTests, failed: Math.max(numFailedTests, succeeded ? 0 : 1) };
}

/**
 * Runs the tests of the server in Python and those of the Python client. The client's types count as one.
 * @returns {Promise<Tally>}
 */
async function pythonTests() {
  const environment = await pythonEnvironment('test/python/requirements.txt', cache);
  if (environment === null) return { passed: 0, failed: 1 };
  const checkTypes = ['node_modules/pyright/index.js', '-p', 'clients/python', '--pythonpath'];
  const typed = await run(process.execPath, [...checkTypes, environment.python], environment);
  const report = path.join(results, 'pytest.xml');
  fs.rmSync(report, { force: true });
  const succeeded = await withServer('test/models', (url) =>
    withServer('saved_models', (demoUrl) =>
      run(environment.python, ['-m', 'pytest', ...pythonTestFolders, '-q', '-rs', `--junitxml=${report}`], {
        env: {
          PYTHONPATH: [clientSources, environment.env['PYTHONPATH']].filter(Boolean).join(path.delimiter),
          TFJS_SERVING_URL: url,
          TFJS_SERVING_DEMO_URL: demoUrl,
          TFJS_SERVING_NODE: process.execPath,
        },
      }),
    ),
  );
  if (!fs.existsSync(report)) return { passed: 0, failed: 1 };
  const head = fs.readFileSync(report, 'utf8').slice(0, 1000);
  const [tests = 0, failures = 0, errors = 0, skipped = 0] = ['tests', 'failures', 'errors', 'skipped'].map(
    (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0),
  );
  if (skipped > 0) console.log(`${skipped} skipped`);
  const failed = failures + errors + Number(!typed);
  return {
    passed: tests - failures - errors - skipped + Number(typed),
    failed: Math.max(failed, succeeded ? 0 : 1),
  };
}

/** Builds the addon again with the sanitizer of GCC on Linux. */
async function sanitize() {
  const script = 'test/native/sanitize.mjs';
  if (!fs.existsSync(script) || process.platform !== 'linux') return { passed: 0, failed: 0 };
  return run(process.execPath, [script, SANITIZED_ROUNDS]);
}

/** @param {string} project */
function checkTypes(project) {
  return run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project, '--noEmit']);
}

/** @param {string} major */
async function underNode(major) {
  const node = await fetchNode(major, cache);
  if (node === null) return false;
  return isNewest(major) ? suite(node, OF_NODE) : run(node, ['scripts/test/smoke.js']);
}

/**
 * @param {string} name
 * @param {() => Promise<boolean | Tally>} stage
 * @returns {Promise<Tally>}
 */
async function runStage(name, stage) {
  console.log(`\n=== ${name}`);
  const start = performance.now();
  const outcome = await stage().catch((error) => {
    console.error(error);
    return false;
  });
  const tally =
    typeof outcome === 'boolean' ? { passed: Number(outcome), failed: Number(!outcome) } : outcome;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `--- ${name}: ${tally.failed > 0 ? 'FAILED' : 'ok'} (${tally.passed} passed, ${tally.failed} failed, ${seconds} s)`,
  );
  return tally;
}

const total = { passed: 0, failed: 0 };
/** @type {string[]} */
const failedStages = [];
for (const [name, stage] of process.argv.includes('--fast') ? fast : [...fast, ...slow]) {
  const { passed, failed } = await runStage(name, stage);
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) failedStages.push(name);
}
for (const failure of failures) console.log(`\n× ${failure.slice(0, 4000)}`);
if (failedStages.length > 0) console.log(`\nfailed: ${failedStages.join(', ')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
