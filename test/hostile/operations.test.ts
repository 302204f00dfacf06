/**
 * Which operations of TensorFlow end the process at some input, or never come to an end: `make fuzz-operations`. All of
 * TensorFlow's that have no state are asked, with their guards as a server loads them, in a process of their own. Without
 * guards where FUZZ_UNGUARDED is set. FUZZ_OPERATIONS is a pattern of those to ask.
 */
import { expect, it } from 'vitest';
import { GraphNode } from '../../src/engines/tensorflow/graph/graph-def.ts';
import { hazards } from '../../src/engines/tensorflow/graph/guards/hazards.ts';
import { rules } from '../../src/engines/tensorflow/graph/rules.ts';
import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { dtypeOf } from '../../src/tensors/dtypes.ts';
import {
  type Chosen,
  choose,
  makeFeeds,
  makeShapes,
  reachableOperations,
  type Shapes,
} from './odd-operations.ts';
import { withOperation } from './operation-models.ts';
import { OperationProcess } from './operation-process.ts';
import { makeSamples } from './operation-samples.ts';
import { Random } from './random.ts';

const seconds = Number(process.env['FUZZ_OPERATIONS_SECONDS'] ?? 0);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
const only = new RegExp(process.env['FUZZ_OPERATIONS'] ?? '');
const isGuarded = process.env['FUZZ_UNGUARDED'] === undefined;

const random = new Random(seed);
const runsEach = 40;
const keptShapes = 30;

/** What an operation has been asked so far. */
interface Tried {
  /** With which it has answered. */
  readonly good: Shapes[];
  runs: number;
  answers: number;
}

/** The ranks that an operation is known to need, so that odd inputs come further than that. */
function ranksOf(op: string): Map<number, number> {
  const ruled = Object.entries(rules.get(op)?.ranks ?? {});
  const found = new Map(ruled.map(([input, rank]) => [Number(input), rank]));
  const bare = new GraphNode('', op, [], Buffer.alloc(0));
  for (const { left, relation, right } of hazards.get(op)?.needs(bare) ?? [])
    if (left.of === 'rank' && right.of === 'number' && relation === '=') found.set(left.input, right.number);
  return found;
}

/** @returns how it ended the process, if it did */
async function tryOne(
  child: OperationProcess,
  chosen: Chosen,
  tried: Tried,
  samples: readonly Uint8Array[],
): Promise<string | undefined> {
  const ranks = ranksOf(chosen.op);
  return withOperation(child, chosen, isGuarded, async (loaded, run) => {
    if ('died' in loaded) return `${loaded.died}, while it is loaded`;
    if (loaded.error) return undefined;
    for (let i = 0; i < runsEach; i++) {
      const shapes = makeShapes(chosen, tried.good, ranks, random);
      const feeds = makeFeeds(chosen, shapes, samples, random);
      const answer = await run(feeds);
      tried.runs += 1;
      if ('died' in answer) return `${answer.died}, at ${feeds.map(describe).join(' and ')}`;
      if (answer.error && /No OpKernel|valid device/.test(answer.error)) return undefined;
      if (answer.error) continue;
      tried.answers += 1;
      tried.good[tried.good.length < keptShapes ? tried.good.length : random.below(keptShapes)] = shapes;
    }
    return undefined;
  });
}

function describe([type, shape, data]: Feed): string {
  const bytes = Array.isArray(data) ? Buffer.concat(data as Uint8Array[]) : Buffer.from(data as Uint8Array);
  return `${dtypeOf(type)}[${shape}] ${bytes.subarray(0, 48).toString('hex')}`;
}

it.runIf(seconds > 0)(
  'operations are asked for odd things',
  async () => {
    const child = new OperationProcess();
    const end = performance.now() + seconds * 1000;
    const defs = reachableOperations().filter(({ name }) => only.test(name));
    const tried = new Map<string, Tried>();
    const deaths: string[] = [];
    try {
      const samples = await makeSamples(child, random);
      while (performance.now() < end) {
        const def = defs[random.below(defs.length)];
        const chosen = def && choose(def, random);
        if (!chosen) continue;
        const known = tried.get(chosen.op) ?? { good: [], runs: 0, answers: 0 };
        tried.set(chosen.op, known);
        const isOfBytes = /Decode|Parse|Encode|Image|Jpeg|Png|Wav/.test(chosen.op);
        const how = await tryOne(child, chosen, known, isOfBytes ? samples : []);
        if (how === undefined) continue;
        deaths.push(chosen.op);
        console.log(`${chosen.op} ${JSON.stringify(chosen.attributes)}: ${how}`);
      }
    } finally {
      child.close();
    }
    const all = [...tried.values()];
    const sum = (of: (each: Tried) => number) => all.reduce((total, each) => total + of(each), 0);
    const answered = all.filter(({ answers }) => answers > 0).length;
    console.log(
      `seed ${seed}: ${sum(({ runs }) => runs)} runs of ${all.length} operations; ${sum(({ answers }) => answers)} runs of ${answered} operations answered; ` +
        `these ended the process, or did not end: ${[...new Set(deaths)].sort().join(', ') || 'none'}`,
    );
    expect(answered).toBeGreaterThan(0);
  },
  (seconds + 600) * 1000,
);
