import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Behaviour, Machine, write } from './fixture.js';

let machine: Machine;
let root: string;

beforeEach(() => {
  machine = new Machine();
  root = machine.package();
  fs.cpSync(path.join(import.meta.dirname, '../../scripts/install'), path.join(root, 'scripts/install'), {
    recursive: true,
  });
  fs.copyFileSync(
    path.join(import.meta.dirname, '../../scripts/install.js'),
    path.join(root, 'scripts/install.js'),
  );
});
afterEach(() => machine.remove());

function start(env: NodeJS.ProcessEnv, ...nodeArgs: string[]): ChildProcess {
  return startWith([], env, nodeArgs);
}

function startWith(args: string[], env: NodeJS.ProcessEnv, nodeArgs: string[] = []): ChildProcess {
  return spawn(process.execPath, [...nodeArgs, path.join(root, 'scripts/install.js'), ...args], {
    env: machine.host(env).env,
  });
}

async function outcome(child: ChildProcess): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}

test('a failure is one sentence on standard error, without a stack trace', async () => {
  const { code, stdout, stderr } = await outcome(start({ CXX: 'no-such-compiler' }));
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^\[install\] There is no C\+\+ compiler[^\n]*\.\n$/);
});

test('--dist asks for neither compiler nor pip', async () => {
  const env: NodeJS.ProcessEnv & Behaviour = { CXX: 'no-such-compiler', PIP: 'missing' };
  const { code, stderr } = await outcome(startWith(['--dist'], env));
  expect([code, stderr]).toEqual([0, '[install] ready, with dist/; nothing to do.\n']);
  expect(machine.calls('python3')).toEqual([]);
});

test('a Node.js that is too old is told what is needed', async () => {
  const preload = path.join(machine.folder, 'old-node.cjs');
  write(
    preload,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } });`,
  );
  const { code, stderr } = await outcome(start({}, '--require', preload));
  expect(code).toBe(1);
  expect(stderr).toBe(
    'Node.js 18.20.0 is too old: tfjs-serving needs 20.19 or newer, from your package manager or with nvm.\n',
  );
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it cleanly, with what was running', async (signal, exitCode) => {
  const child = start({ PIP: 'hang' });
  const ended = outcome(child);
  await expect.poll(() => machine.calls('python3').length, { timeout: 60_000 }).toBe(1);
  child.kill(signal);

  const { code, stderr } = await ended;
  expect(code).toBe(exitCode);
  expect(stderr).toMatch(/Interrupted: run the same command again to go on/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(machine.leftovers()).toEqual([]);
});
