/**
 * The example runs as it stands, over the package's own exports.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { transform } from 'esbuild';
import { afterEach, expect, it } from 'vitest';
import { until } from '../fixtures/until.ts';

const root = path.join(import.meta.dirname, '..', '..');
let child: ChildProcess | undefined;

afterEach(() => child?.kill('SIGKILL'));

/** Node 20 does not read TypeScript by itself. */
async function compile(example: string): Promise<string> {
  const source = await readFile(path.join(root, 'examples', `${example}.ts`), 'utf8');
  const { code } = await transform(source, { loader: 'ts', format: 'esm' });
  const compiled = path.join(root, 'build', 'examples', `${example}.mjs`);
  await mkdir(path.dirname(compiled), { recursive: true });
  await writeFile(compiled, code);
  return compiled;
}

it('examples/koa.ts predicts in process, mounts the server, and ends by itself', async () => {
  const program = await compile('koa');
  const running = spawn(process.execPath, [program], {
    cwd: root,
    env: { ...process.env, MODELS: 'saved_models', PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = running;
  const exit = once(running, 'exit');
  let output = '';
  running.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  await until(() => /port: \d+/.test(output), 'the example to listen');
  const url = `http://127.0.0.1:${/port: (\d+)/.exec(output)?.[1]}`;

  const own = await fetch(`${url}/half_plus_two?x=1&x=2`);
  expect(await own.json()).toEqual({ version: 1, y: [2.5, 3] });
  const mounted = await fetch(`${url}/serving/models/half_plus_two`);
  expect(await mounted.json()).toMatchObject({ name: 'half_plus_two', version: 1 });

  running.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});
