/**
 * `make bench-peers` compares this server with others on the same models, on the same machine, in the same minute.
 *
 * A round is one slice of each rival, each between two slices of ours: ours, Flask, ours, LitServe, ours … A ratio is
 * of the mean of the two to the rival's, so that both meet the same conditions. Figures are medians over rounds, with
 * the least and the greatest.
 *
 * Before the measurement, every server answers the same requests, one alone and many different ones at once, and must
 * agree with ours. A batcher that mixes its rows up would be quick and worthless.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { readSavedModel } from '#dist/engines/tensorflow/saved-model/read.js';
import { type Answers, Contestant, type Setup, type Slice } from './peers/contestant.ts';
import type { Environments } from './peers/environments.ts';
import { plotPeers } from './peers/plot.ts';
import { type Rival, rivals, type Variant } from './peers/rivals.ts';
import type { Row } from './peers/row.ts';
import type { ServedModel } from './peers/triton-repository.ts';
import { median, spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    models: { type: 'string', default: 'mlp,policy' },
    /** The numbers of connections: 1, 16 and 64, or 1 and 16 for the policy, whose bodies are large. */
    connections: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    peers: { type: 'string', default: Object.keys(rivals).join() },
    /** Measures every variant of a rival instead of the best one. */
    variants: { type: 'boolean', default: false },
    /** Flags of our server, in one text. */
    serve: { type: 'string', default: '' },
    out: { type: 'string', default: 'build/bench' },
    /** A file that scripts/bench.js writes. */
    environments: { type: 'string', default: '' },
  },
});
const models = positionals[0] ?? '';
const tolerance = 1e-4;
/**
 * Fewer bodies of at least this size are sent at once when answers are checked, because some servers take seconds for
 * them.
 */
const largeInput = 100_000;
/** The most seconds that a slice is lengthened to. */
const longest = 20;

const environments: Environments = JSON.parse(await readFile(flags.environments, 'utf8'));
const scratch = path.join(flags.out, 'peers-scratch');
await rm(scratch, { recursive: true, force: true });
const rows: Row[] = [];
const skipped = new Map<string, string>();
for (const model of flags.models.split(',')) rows.push(...(await measureModel(model)));

const facts = {
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  node: process.version,
  date: new Date().toISOString(),
  flags,
  skipped: Object.fromEntries(skipped),
};
await writeFile(path.join(flags.out, 'peers.json'), JSON.stringify({ facts, rows }, undefined, 1));
await plotPeers(path.join(flags.out, 'peers.svg'), rows);
report();

async function measureModel(name: string): Promise<Row[]> {
  const { contestants, stop } = await enterAll(await servedModel(name));
  try {
    const found: Row[] = [];
    const wanted = flags.connections ?? (name === 'policy' ? '1,16' : '1,16,64');
    for (const connections of wanted.split(',').map(Number)) {
      found.push(...(await measureRow(name, connections, contestants)));
    }
    return found;
  } finally {
    await stop();
  }
}

async function servedModel(name: string): Promise<ServedModel> {
  const folder = path.resolve(models, name, '1');
  const { metaGraph } = await readSavedModel(folder, ['serve']);
  const signature = metaGraph.signatures.get('serving_default');
  if (!signature) throw new Error(`${name} has no serving_default`);
  return { name, folder, signature };
}

/** Starts our server and every available rival. Each is checked and paused. Ours is the first. */
async function enterAll(
  model: ServedModel,
): Promise<{ contestants: Contestant[]; stop: () => Promise<void> }> {
  const elements = [...model.signature.inputs.values()].map(({ shape }) =>
    (shape ?? []).slice(1).reduce<number>((product, dim) => product * (dim ?? 1), 1),
  );
  const checked = Math.max(...elements) > largeInput ? 16 : 64;
  const setup = (id: string): Setup => ({
    ...{ model, environments, checked },
    scratch: path.resolve(scratch, model.name, id),
  });
  const contestants: Contestant[] = [];
  const stop = async () => {
    for (const contestant of contestants) await contestant.stop();
  };
  try {
    const ours = await Contestant.ours(flags.serve.split(' ').filter(Boolean), setup('tfjs-serving'));
    contestants.push(ours);
    for (const [id, rival, variant] of entries(model.name)) {
      console.log(`${model.name}: starting ${rival.title}, ${variant.settings}`);
      const entered = await Contestant.rival(rival, variant, setup(id)).catch((error: Error) => {
        console.error(`${model.name}: ${rival.title}, ${variant.settings} is skipped: ${error.message}`);
        skipped.set(`${model.name}: ${rival.title}, ${variant.settings}`, error.message);
      });
      if (!entered) continue;
      contestants.push(entered);
      compare(entered.title, entered.answers, ours.answers);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { contestants, stop };
}

function* entries(model: string): Generator<[id: string, Rival, Variant]> {
  for (const name of flags.peers.split(',')) {
    const rival = rivals[name];
    if (!rival) throw new Error(`no peer is called ${name}; there are ${Object.keys(rivals).join(', ')}`);
    const environment = environments[rival.environment];
    if ('missing' in environment) {
      if (!skipped.has(rival.title)) console.error(`${rival.title} is skipped: ${environment.missing}`);
      skipped.set(rival.title, environment.missing);
      continue;
    }
    const best = rival.variants.find(({ bestFor }) => bestFor?.includes(model)) ?? rival.variants[0];
    const variants = rival.variants.filter((variant) => flags.variants || variant === best);
    for (const [i, variant] of variants.entries()) yield [`${name}-${i}`, rival, variant];
  }
}

/** @throws Error if one of the answers differs from ours */
function compare(title: string, answers: Answers, ours: Answers): void {
  for (const [i, expected] of ours.entries()) {
    const got = answers[i] ?? [];
    const same =
      got.length === expected.length &&
      expected.every((value, j) => Math.abs(value - (got[j] ?? Number.NaN)) <= tolerance);
    if (!same) throw new Error(`${title} answers request ${i} with ${got.slice(0, 8)}, ours ${expected}`);
  }
}

async function measureRow(
  model: string,
  connections: number,
  contestants: readonly Contestant[],
): Promise<Row[]> {
  const seconds = Number(flags.seconds);
  const [ours, ...others] = contestants;
  if (!ours) return [];
  // The first slice warms the server up. A slice has room for two answers on each connection, so that the slowest
  // server has some, too.
  const lengths = new Map<Contestant, number>();
  for (const contestant of contestants) {
    const { perSecond } = await contestant.measure(connections, 1);
    lengths.set(contestant, Math.max(seconds, Math.min(longest, Math.ceil((2 * connections) / perSecond))));
  }
  const slices = new Map(contestants.map((contestant) => [contestant, [] as Slice[]]));
  const ratios = new Map(contestants.map((contestant) => [contestant, [] as number[]]));
  const measure = async (contestant: Contestant): Promise<Slice> => {
    const slice = await contestant.measure(connections, lengths.get(contestant) ?? seconds);
    slices.get(contestant)?.push(slice);
    return slice;
  };
  let before = await measure(ours);
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const other of others) {
      const { perSecond } = await measure(other);
      const after = await measure(ours);
      ratios.get(other)?.push((before.perSecond + after.perSecond) / 2 / perSecond);
      before = after;
    }
  }
  return contestants.map((contestant) => {
    const { title, settings } = contestant;
    const row = {
      ...{ model, connections, title, settings },
      ratios: ratios.get(contestant) ?? [],
      slices: slices.get(contestant) ?? [],
      mebibytes: contestant.mebibytes(),
    };
    console.log(describe(row).join('  '));
    return row;
  });
}

function describe({ model, connections, title, settings, ratios, slices, mebibytes }: Row): string[] {
  const all = (read: (slice: Slice) => number) => slices.map(read);
  return [
    model,
    String(connections),
    `${title} (${settings})`,
    spread(
      all(({ perSecond }) => perSecond),
      0,
    ),
    spread(ratios),
    spread(all(({ p50 }) => p50)),
    spread(all(({ p99 }) => p99)),
    spread(all(({ p999 }) => p999)),
    median(all(({ serverCpu }) => serverCpu * 1e6)).toFixed(0),
    mebibytes.toFixed(0),
    String(slices.reduce((sum, { failures }) => sum + failures, 0)),
  ];
}

function report(): void {
  const head = [
    ...['model', 'connections', 'server', 'requests/s', 'ours ÷ it', 'p50 ms', 'p99 ms', 'p99.9 ms'],
    ...['CPU µs', 'MiB', 'failed'],
  ];
  console.log(`\n${table(head, rows.map(describe))}\n`);
  for (const [what, why] of skipped) console.log(`skipped: ${what}: ${why}`);
  console.log(`${path.join(flags.out, 'peers.json')}, ${path.join(flags.out, 'peers.svg')}`);
}
