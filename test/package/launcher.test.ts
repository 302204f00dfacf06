/**
 * What the linked program says when it cannot run at all.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from './sandbox.ts';

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-launcher-'));
  for (const file of ['package.json', 'bin/tfjs-serving.js', 'scripts/install/node-version.js'])
    fs.cpSync(path.join(root, file), path.join(folder, file));
});

afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function start(...nodeFlags: string[]) {
  const program = path.join(folder, 'bin', 'tfjs-serving.js');
  return spawnSync(process.execPath, [...nodeFlags, program, '--version'], { encoding: 'utf8' });
}

it('that it was packed, or is called, before it was built', () => {
  const { status, stdout, stderr } = start();
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^tfjs-serving is not built: run `make build` .*`make pack`.*\n$/);
});

it('that Node.js is too old', () => {
  const preload = path.join(folder, 'old-node.cjs');
  fs.writeFileSync(
    preload,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } });`,
  );
  const { status, stderr } = start('--require', preload);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Node.js 18.20.0 is too old: tfjs-serving needs 20.19 or newer/);
});
