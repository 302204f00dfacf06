/** The commands load no native code, no TensorFlow and no web framework, so that they start at once and everywhere. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommand } from '../fixtures/command.ts';

const tracer = fileURLToPath(new URL('../fixtures/loaded-modules.cjs', import.meta.url));
const model = fileURLToPath(new URL('../../saved_models/half_plus_two', import.meta.url));
/** Of packages their code; `--version` reads the package.json of TensorFlow.js. */
const heavy = /\.node$|libtensorflow|node_modules\/(@tensorflow|koa|@koa)\/.*js$/;
let folder: string;
let env: { LOADED_MODULES: string };

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-loaded-'));
  env = { LOADED_MODULES: path.join(folder, 'loaded') };
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** CommonJS modules and shared libraries that a program had loaded at its end. */
function loaded(): string[] {
  return readFileSync(env.LOADED_MODULES, 'utf8').split('\n');
}

it('the trace sees imports of TensorFlow.js and Koa, and native code', () => {
  const script = "import 'koa'; import '@tensorflow/tfjs-node-gpu';";
  const flags = ['--require', tracer, '--input-type=module', '--eval', script];
  execFileSync(process.execPath, flags, { env: { ...process.env, ...env }, stdio: 'ignore' });
  for (const what of [/\.node$/, /libtensorflow/, /node_modules\/@tensorflow\//, /node_modules\/koa\//])
    expect(
      loaded().some((file) => what.test(file) && heavy.test(file)),
      String(what),
    ).toBe(true);
});

it.each([
  [['--help'], ''],
  [['--version'], ''],
  [['install', '--help'], ''],
  [['inspect', model], ''],
  [['encode', 'x=[1]'], ''],
  [['decode'], '\xa1ax\x01'],
  [['infer', 'http://127.0.0.1:9', 'x=1'], ''],
])('%j loads none of them', async (args, input) => {
  const nodeFlags = ['--require', tracer];
  const { code } = await runCommand(args, { env, nodeFlags, input: Buffer.from(input, 'latin1') });
  // Nobody answers on port 9.
  expect(code).toBe(args[0] === 'infer' ? 1 : 0);
  expect(loaded().length).toBeGreaterThan(1);
  expect(loaded().filter((file) => heavy.test(file))).toEqual([]);
});
