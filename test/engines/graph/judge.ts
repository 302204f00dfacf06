/**
 * Judges the rules of operations with TensorFlow itself. Random cases of each operation run for rows together and for
 * parts of them alone, and the results are compared with what the walk says of them.
 */
import { beforeAll, expect, it } from 'vitest';
import type { InferenceModel } from '../../../src/engines/inference-model.ts';
import type { Signature, TensorSpec } from '../../../src/engines/signature.ts';
import { GraphDef } from '../../../src/engines/tensorflow/graph/graph-def.ts';
import { parseTensorName } from '../../../src/engines/tensorflow/graph/prove.ts';
import type { Value } from '../../../src/engines/tensorflow/graph/value.ts';
import { Walk } from '../../../src/engines/tensorflow/graph/walk.ts';
import type { Runtime } from '../../../src/engines/tensorflow/runtime.ts';
import { TensorFlowError } from '../../../src/engines/tensorflow/tensorflow-error.ts';
import { Turns } from '../../../src/flow/turns.ts';
import { dtypeOf } from '../../../src/tensors/dtypes.ts';
import {
  createTensor,
  disposeTensors,
  type NamedTensors,
  type Tensor,
  type TensorData,
  viewTensor,
} from '../../../src/tfjs/tensors.ts';
import { GraphBuilder, inSavedModel, type Ref } from '../../fixtures/graph.ts';
import type { NodeMessage } from '../../fixtures/graph-proto.ts';
import { openTestRuntime } from '../../fixtures/runtime.ts';
import { CaseMaker, type Feed, type Generator } from './case.ts';
import { Comparison, outcomeOf, type RunOutcome } from './outputs.ts';
import { Random } from './random.ts';

/** RULES_SEED makes other cases; RULES_CASES makes so many times as many. */
const seed = Number(process.env['RULES_SEED'] ?? 11);
const factor = Number(process.env['RULES_CASES'] ?? 1);

/** Cases whose outputs must be found rows, and be so. */
const leastRows = 2;

let runtime: Runtime;

/** What became of the cases of an operation. */
interface Tally {
  run: number;
  /** Found rows, and were rows. */
  rows: number;
  /** Found the same for all, and were so. */
  sames: number;
  failedAlone: number;
  failedTogether: number;
  readonly faults: string[];
  /** Of cases that could not be run: what TensorFlow said. */
  readonly failures: Set<string>;
}

interface JudgeOptions {
  /** Operations that are tested elsewhere, or why they cannot be. */
  readonly exceptions?: Readonly<Record<string, string>>;
  /** Of each operation, at most. */
  readonly cases?: number;
  /** Operations whose outputs have no rows, or that are given up where they have: cases that are the same for all do. */
  readonly neverRows?: readonly string[];
  /** Operations that must occur in some case, where cases are not of one operation. */
  readonly occurring?: readonly string[];
}

/**
 * Has the rules of a table tested.
 *
 * @param generators one for each operation
 */
export function judgeRules(
  table: Iterable<string>,
  generators: ReadonlyMap<string, Generator>,
  { exceptions = {}, cases = 12, neverRows = [], occurring = [] }: JudgeOptions = {},
): void {
  const operations = [...table].filter((op) => !Object.hasOwn(exceptions, op));

  beforeAll(() => {
    runtime = openTestRuntime();
  });

  it('each rule has a generator of cases', () => {
    expect(operations.filter((op) => !generators.has(op))).toEqual([]);
    expect([...generators.keys()].filter((op) => !operations.includes(op))).toEqual([]);
    const made = [...generators].flatMap(([op, generator]) => {
      const graph = new GraphBuilder();
      makeCases(graph, op, generator, 3 * cases);
      return [...graph.operations];
    });
    expect(occurring.filter((op) => !made.includes(op))).toEqual([]);
  });

  it.each(operations.filter((op) => generators.has(op)))('%s', async (op) => {
    const tally = await judge(op, generators.get(op) as Generator, cases * factor);
    if (process.env['RULES_REPORT'])
      console.log(JSON.stringify({ op, ...tally, failures: [...tally.failures] }));
    const { faults, rows, sames, failures } = tally;
    expect(faults, `RULES_SEED=${seed}`).toEqual([]);
    const told = `cases with rows of RULES_SEED=${seed}; TensorFlow refused: ${[...failures].slice(0, 3).join('; ')}`;
    expect(neverRows.includes(op) ? sames : rows, told).toBeGreaterThanOrEqual(leastRows);
  });
}

/** One case that was made, and where its nodes are. */
interface Case {
  readonly number: number;
  readonly maker: CaseMaker;
  readonly nodes: readonly NodeMessage[];
}

interface WalkedCase extends Case {
  readonly values: readonly Value[];
}

async function judge(op: string, generator: Generator, casesRun: number): Promise<Tally> {
  const graph = new GraphBuilder();
  const cases = makeCases(graph, op, generator, 3 * casesRun);
  const graphDef = await GraphDef.read(graph.encode(), new Turns());
  const tally: Tally = {
    run: 0,
    rows: 0,
    sames: 0,
    failedAlone: 0,
    failedTogether: 0,
    faults: [],
    failures: new Set(),
  };
  const walked = await Promise.all(
    cases.map(async (each) => ({ ...each, values: await valuesOf(graphDef, each.maker) })),
  );
  let left = walked.filter(({ values }) => values.some(({ kind }) => kind !== 'mixed'));
  for (let refused: string | undefined = ''; refused !== undefined; ) {
    const picked = chosen(left, casesRun);
    refused = await runCases(graph, picked, tally);
    if (refused !== undefined) {
      const before = left.length;
      left = left.filter(({ nodes }) => !nodes.some(({ name }) => refused?.includes(`{{node ${name}}}`)));
      if (left.length === before) throw new Error(refused);
      tally.failures.add(refused.slice(0, 200));
    }
  }
  return tally;
}

function makeCases(graph: GraphBuilder, op: string, generator: Generator, count: number): Case[] {
  return Array.from({ length: count }, (_, number): Case => {
    const random = new Random(seedOf(op, number));
    const before = graph.nodes.length;
    const maker = new CaseMaker(graph, random, random.pick([2, 3, 5]), random.chance(0.15), op);
    generator(maker);
    return { number, maker, nodes: graph.nodes.slice(before) };
  });
}

/** @returns what TensorFlow said if it cannot load them */
async function runCases(
  graph: GraphBuilder,
  cases: readonly WalkedCase[],
  tally: Tally,
): Promise<string | undefined> {
  return inSavedModel(graph.encode(cases.flatMap(({ nodes }) => nodes)), async (directory) => {
    const loaded = runtime.load(directory, { tags: ['serve'], signatures: new Map(), unusable: [] });
    const model = await loaded.catch((error: unknown) => {
      if (error instanceof TensorFlowError) return error;
      throw error;
    });
    if (model instanceof TensorFlowError) return model.message;
    try {
      for (const each of cases) judgeCase(model, each, tally);
    } finally {
      await model.dispose();
    }
    return undefined;
  });
}

/** As many of those with rows as can be run, then others. */
function chosen(said: readonly WalkedCase[], casesRun: number): WalkedCase[] {
  const hasRows = ({ values }: WalkedCase) => values.some(({ kind }) => kind !== 'same' && kind !== 'mixed');
  const others = said.filter((each) => !hasRows(each)).slice(0, Math.ceil(casesRun / 4));
  return [...said.filter(hasRows).slice(0, casesRun - others.length), ...others];
}

/** Another one for each case, so that one can be repeated by itself. */
function seedOf(op: string, number: number): number {
  return [...`${op}${number}`].reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), seed);
}

function valuesOf(graph: GraphDef, { outputs, feeds }: CaseMaker): Promise<Value[]> {
  const given = new Map(feeds.map(({ ref, value }) => [ref.node, value]));
  return new Walk(graph, new Turns()).fetch(
    outputs.map(({ name }) => parseTensorName(name)),
    given,
  );
}

function judgeCase(model: InferenceModel, { number, maker, nodes, values }: WalkedCase, tally: Tally): void {
  const run = (start: number, rows: number) => runRows(model, maker, start, rows);
  const together = run(0, maker.batch);
  const parts = partsOf(maker).map(([start, rows]) => run(start, rows));
  const alone = parts.filter((part) => !(part instanceof TensorFlowError)) as RunOutcome[];
  tally.run += 1;
  const failed = [together, ...parts].find((part) => part instanceof TensorFlowError);
  if (failed) tally.failures.add(failed.message.slice(0, 200));
  if (alone.length < parts.length) tally.failedAlone += 1;
  if (together instanceof TensorFlowError) {
    if (alone.length === parts.length) tally.failedTogether += 1;
    return;
  }
  const isRows = values.some(({ kind }) => kind !== 'same' && kind !== 'mixed');
  const told = (why: string) =>
    `case ${number}, ${maker.batch} rows: ${why}\n${describe(maker, nodes, values)}`;
  if (alone.length < parts.length) {
    if (isRows) tally.faults.push(told(`succeeds together, fails alone: ${failed?.message}`));
    return;
  }
  const comparison = new Comparison();
  const wrong = values.flatMap((value, i) => {
    const why = comparison.compare(value, i, together, alone);
    return why === undefined ? [] : [`output ${i} ${why}`];
  });
  if (wrong.length > 0) tally.faults.push(told(wrong.join('; ')));
  else if (isRows) tally.rows += 1;
  else tally.sames += 1;
}

/** Parts that the rows are asked for in: first row and number of rows. */
function partsOf({ batch, random }: CaseMaker): [start: number, rows: number][] {
  const parts: [number, number][] = [];
  const isSingle = random.chance(0.5);
  for (let start = 0; start < batch; ) {
    const rows = isSingle ? 1 : random.int(1, batch - start);
    parts.push([start, rows]);
    start += rows;
  }
  return parts;
}

function runRows(
  model: InferenceModel,
  maker: CaseMaker,
  start: number,
  rows: number,
): RunOutcome | TensorFlowError {
  const signature = signatureOf(maker);
  const inputs: NamedTensors = new Map(
    maker.feeds.map((feed) => [feed.ref.node, createTensor(...fedWith(feed, start, rows))]),
  );
  try {
    const { outputs } = model.predictHere(signature, [inputs]);
    const views = maker.outputs.map((_, i) => outcomeOf(viewTensor(outputs.get(`y${i}`) as Tensor)));
    disposeTensors(outputs);
    return { start, rows, outputs: views };
  } catch (error) {
    if (error instanceof TensorFlowError) return error;
    throw error;
  } finally {
    disposeTensors(inputs);
  }
}

function fedWith(
  { dtype, shape, data, hasRows }: Feed,
  start: number,
  rows: number,
): Parameters<typeof createTensor> {
  if (!hasRows) return [dtype, shape, data[0] as TensorData];
  const own = data.slice(start, start + rows);
  const joined = dtype === 'string' ? own.flatMap((each) => [...each]) : Buffer.concat(own as Uint8Array[]);
  return [dtype, [rows, ...shape], joined as Uint8Array];
}

const signatures = new WeakMap<CaseMaker, Signature>();

function signatureOf(maker: CaseMaker): Signature {
  const known = signatures.get(maker);
  if (known) return known;
  const spec = (name: string, ref: Ref): [string, TensorSpec] => {
    const dtype = dtypeOf(ref.type);
    if (!dtype) throw new Error(`${ref.name} is of a type that cannot be fetched (${ref.type})`);
    const graphName = ref.name.includes(':') ? ref.name : `${ref.name}:0`;
    return [name, { name, dtype, shape: null, graphName }];
  };
  const made: Signature = {
    name: 'case',
    inputs: new Map(maker.feeds.map(({ ref }) => spec(ref.node, ref))),
    outputs: new Map(maker.outputs.map((ref, i) => spec(`y${i}`, ref))),
  };
  signatures.set(maker, made);
  return made;
}

function describe({ feeds, outputs }: CaseMaker, nodes: readonly object[], values: readonly Value[]): string {
  const short = (value: unknown) =>
    JSON.stringify(value, (key, each) => {
      if (key === 'tensorContent')
        return Buffer.from(each as Uint8Array)
          .toString('hex')
          .slice(0, 80);
      if (each instanceof Uint8Array) return Buffer.from(each).toString();
      return each?.constructor?.name === 'Size' ? each.key : each;
    });
  return [
    ...feeds.map(
      ({ ref, dtype, shape, hasRows }) => `${ref.node}: ${dtype} [${hasRows ? 'rows, ' : ''}${shape}]`,
    ),
    ...nodes.map((node) => short(node)),
    ...values.map((value, i) => `${outputs[i]?.name} is ${short(value)}`),
  ].join('\n');
}
