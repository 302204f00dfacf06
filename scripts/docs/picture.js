/**
 * `make picture`: drops a version into the folder of a server under load, and draws what its clients saw as
 * docs/figures/drop.svg. The run takes 20 to 60 seconds, and fails if a request failed or an answer was wrong.
 *
 * The models are the two versions of examples/digits, without their handler: they answer the same digit differently. What each
 * should answer comes from a server that has this version alone.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { withServer } from '../test/server-process.js';
import { drawDrop } from './picture-drawing.js';
import { ask, Load } from './picture-load.js';

/** @typedef {import('./picture-drawing.js').Answer} Answer */

const root = path.join(import.meta.dirname, '..', '..');
const picture = path.join(root, 'docs', 'figures', 'drop.svg');
const sources = {
  1: path.join(root, 'examples', 'digits', 'models', 'digits', '1'),
  2: path.join(root, 'examples', 'digits', 'version-2'),
};

/** `perSecond`: requests of each. */
const RATE = { callers: 16, perSecond: 25 };
/** The seconds before the first change, between two, and after the last. */
const PAUSE = 3;
/** The seconds after which an unseen change ends the run. */
const PATIENCE = 20;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-picture-'));

/**
 * The answer of a version, from a server that has no other.
 * @param {1 | 2} version
 */
async function answerOfAlone(version) {
  const models = path.join(folder, `alone-${version}`);
  fs.cpSync(sources[version], path.join(models, 'digits', String(version)), { recursive: true });
  return withServer(models, async (url) => (await ask(url)).probabilities);
}

/**
 * @param {Record<number, readonly number[]>} expected by version
 * @returns {Promise<{ answers: Answer[], changes: { seconds: number, label: string }[], seconds: number }>}
 */
function recordDrop(expected) {
  const models = path.join(folder, 'models');
  const versions = path.join(models, 'digits');
  fs.cpSync(sources[1], path.join(versions, '1'), { recursive: true });
  return withServer(models, async (url) => {
    const load = new Load(url, RATE, expected);
    /** @type {{ seconds: number, label: string }[]} */
    const changes = [];
    const change = (/** @type {string} */ label, /** @type {() => void} */ act) => {
      act();
      changes.push({ seconds: load.seconds, label });
    };

    await sleep(PAUSE * 1000);
    fs.cpSync(sources[2], path.join(versions, '.2'), { recursive: true });
    change('mv .2 2', () => fs.renameSync(path.join(versions, '.2'), path.join(versions, '2')));
    await until('version 2 answers', () => load.latest === 2);

    await sleep(PAUSE * 1000);
    fs.mkdirSync(path.join(versions, '.3'));
    fs.copyFileSync(path.join(sources[2], 'saved_model.pb'), path.join(versions, '.3', 'saved_model.pb'));
    change('mv .3 3 (damaged)', () => fs.renameSync(path.join(versions, '.3'), path.join(versions, '3')));
    await until('version 3 is refused', async () =>
      /"version":3,[^}]*"error"/.test(await (await fetch(`${url}/models/digits`)).text()),
    );

    await sleep(PAUSE * 1000);
    change('rm -r 2', () => fs.rmSync(path.join(versions, '2'), { recursive: true }));
    await until('version 1 answers again', () => load.latest === 1);
    await sleep(PAUSE * 1000);
    return { answers: await load.stop(), changes, seconds: load.seconds };
  });
}

/**
 * @param {string} what for the error
 * @param {() => boolean | Promise<boolean>} holds
 */
async function until(what, holds) {
  const end = performance.now() + PATIENCE * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not after ${PATIENCE} s`);
    await sleep(50);
  }
}

try {
  const expected = { 1: await answerOfAlone(1), 2: await answerOfAlone(2) };
  const run = await recordDrop(expected);
  const failed = run.answers.filter(({ version }) => version === null).length;
  const latencies = run.answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  const figures = { requests: latencies.length, failed, p99, ...RATE };
  fs.writeFileSync(picture, drawDrop({ ...run, ...figures }));
  console.log(`${path.relative(root, picture)}: ${JSON.stringify({ ...figures, changes: run.changes })}`);
  if (failed > 0) throw new Error(`${failed} requests failed or were answered wrongly`);
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
