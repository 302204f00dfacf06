/**
 * Several Node threads over one session, threads that end in the middle, and processes that do.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { addonPath, load, nothingHeld, openAddon } from './addon.ts';

const models = fileURLToPath(new URL('../models', import.meta.url));

/** Runs one of the scripts beside this file. Its exit code, its signal if it died of one, and what it printed. */
async function runScript(script: string, ...args: string[]) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const command = promisify(execFile)(process.execPath, [file, addonPath, models, ...args], {
    timeout: 150_000,
    killSignal: 'SIGKILL',
  });
  const { stdout, stderr } = await command.catch((error: { stdout: string; stderr: string }) => error);
  return { code: command.child.exitCode, signal: command.child.signalCode, stdout, stderr };
}

test('three workers run one session over one copy of the weights', async () => {
  const addon = openAddon();
  const session = await load(addon, 'signatures');
  const runs = 200;
  const answers = await Promise.all(
    Array.from({ length: 3 }, () => {
      const workerData = { addonPath, session, runs };
      const worker = new Worker(new URL('run-session.mjs', import.meta.url), { workerData });
      return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    }),
  );
  expect(answers).toEqual(Array(3).fill({ sum: runs * (runs - 1), sessions: 1 }));
  expect(addon.counters().sessions).toBe(1);
  await addon.releaseSession(session);
  expect(addon.counters()).toMatchObject(nothingHeld);
});

describe('a worker terminated with 100 runs under way, 20 times, neither crashes nor leaks', () => {
  test.each(['with-main', 'without-main'])('%s thread using the addon', async (mode) => {
    const { code, signal, stderr } = await runScript('terminate.mjs', '20', mode);
    expect({ code, signal, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });
});

describe('a process with runs under way', () => {
  test.each([
    ['exit', 0],
    ['exit while loading', 0],
    ['exit while a load never ends', 3],
    ['exit while closing', 0],
    ['throw', 1],
    ['exitNow', 7],
    ['idle', 0],
  ])('ends well: %s', async (how, code) => {
    expect(await runScript('end.mjs', how)).toMatchObject({ code, signal: null });
  });

  // How many it takes until the first of them are in the middle of it depends on the machine.
  test.each(['1000', '3000', '5000', '7000', '9000', '11000', '13000', '15000', '20000'])(
    'ends well: exit in the first of %s runs',
    async (runs) => {
      expect(await runScript('end.mjs', 'exit in the first runs', runs)).toMatchObject({
        code: 0,
        signal: null,
      });
    },
  );

  test('stays alive until they are settled', async () => {
    const { code, stdout } = await runScript('end.mjs', 'pending');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${1 + (2_000 % 128)}\n` });
  });
});
