/**
 * Builds the addon with AddressSanitizer into `build/asan/` and terminates worker threads in it, 200 times: 100 with
 * and 100 without a main thread that uses the addon. Then processes are ended in every way. Ends with 1 on any report.
 *
 *     [TENSORFLOW_DIR=…] [CXX=g++] node test/native/sanitize.mjs [ROUNDS]
 *
 * TENSORFLOW_DIR is a libtensorflow as the install step takes it; by default the one it has put into `build/`. Linux
 * only: the sanitizer's library is preloaded into Node. Leaks are not its business, as Node and TensorFlow leave plenty
 * at exit; the addon's own counters, checked at the end, tell those.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { layoutOf } from '../../scripts/install/layout.js';
import { libtensorflowOfUser } from '../../scripts/install/libtensorflow.js';
import { addonTarget, includeFlags, linkFlags } from '../../scripts/install/native-flags.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rounds = process.argv[2] ?? '100';
const compiler = process.env['CXX'] ?? 'g++';

const layout = layoutOf(root, process.env);
const library = libtensorflowOfUser(process.env['TENSORFLOW_DIR'] ?? layout.libtensorflow);
const target = addonTarget(layout);
const addon = path.join(layout.build, 'asan', 'tfjs_serving.node');

function build() {
  mkdirSync(path.dirname(addon), { recursive: true });
  const sources = readdirSync(target.sources).filter((name) => name.endsWith('.cc'));
  execFileSync(
    compiler,
    [
      ...target.flags,
      ...['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address'],
      ...includeFlags(target, library.includeFolder, layout),
      ...sources.map((name) => path.join(target.sources, name)),
      ...linkFlags(target, library, process.platform),
      `-Wl,-rpath,${library.libFolder}`,
      ...['-o', addon],
    ],
    { stdio: 'inherit' },
  );
}

/** The sanitizer must be the first library of the process. */
function preload() {
  const file = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  if (!existsSync(file)) throw new Error(`${compiler} has no libasan.so`);
  return file;
}

/** @returns {boolean} whether the script ended with this code and without a report */
function run(asan, wanted, script, ...args) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const { status, signal, stderr, stdout } = spawnSync(
    process.execPath,
    [file, addon, path.join(root, 'test', 'models'), ...args],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      timeout: 3_600_000,
      env: {
        ...process.env,
        LD_PRELOAD: asan,
        ASAN_OPTIONS: 'detect_leaks=0:exitcode=66',
        TF_CPP_MIN_LOG_LEVEL: '3',
      },
    },
  );
  const well = status === wanted && !stderr.includes('AddressSanitizer');
  console.log(`${well ? 'ok    ' : 'FAILED'} ${script} ${args.join(' ')}`);
  if (!well) console.error(`ended with ${signal ?? status}, not ${wanted}\n${stdout}\n${stderr}`);
  return well;
}

build();
const asan = preload();
const results = [
  run(asan, 0, 'terminate.mjs', rounds, 'with-main'),
  run(asan, 0, 'terminate.mjs', rounds, 'without-main'),
  run(asan, 0, 'end.mjs', 'exit'),
  run(asan, 0, 'end.mjs', 'exit in the first runs', '5000'),
  run(asan, 0, 'end.mjs', 'exit while loading'),
  run(asan, 0, 'end.mjs', 'exit while closing'),
  run(asan, 1, 'end.mjs', 'throw'),
  run(asan, 7, 'end.mjs', 'exitNow'),
  run(asan, 0, 'end.mjs', 'idle'),
  run(asan, 0, 'end.mjs', 'pending'),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
