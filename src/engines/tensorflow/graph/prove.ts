/** Decides whether the requests for a signature may share runs. It is proven from the graph, never assumed. */

import type { Turns } from '../../../flow/turns.js';
import type { Dim, RowProof, Signature, TensorSpec } from '../../signature.js';
import { graphNameOf } from '../graph-name.js';
import { type Effect, findEffect } from './effects.js';
import type { GraphDef, TensorRef } from './graph-def.js';
import { operationsBehind } from './operations.js';
import { Size } from './size.js';
import { type Dims, dimsOf, same, type Value } from './value.js';
import { Walk } from './walk.js';

/** What the graph shows of a signature, and whether its rows are proven. */
export type SignatureProof = RowProof & SignatureFacts;

export interface SignatureFacts {
  /** The ranks that the graph needs of inputs whose rank the signature does not say. */
  readonly ranks: ReadonlyMap<string, number>;
  /** The TensorFlow operations that a run may execute. */
  readonly operations: ReadonlySet<string>;
  /** The known shapes of proven outputs. */
  readonly shapes: ReadonlyMap<string, readonly Dim[]>;
}

type Inputs = Iterable<Pick<TensorSpec, 'name' | 'shape' | 'graphName'>>;

export async function proveRows(
  graph: GraphDef,
  { inputs, outputs }: Pick<Signature, 'inputs' | 'outputs'>,
  turns: Turns,
): Promise<SignatureProof> {
  const specs = [...inputs.values()];
  const fetched = [...outputs.values()].map((spec) => ({ spec, source: parseTensorName(graphNameOf(spec)) }));
  const sources = fetched.map(({ source }) => source);
  const { operations, seeded } = await operationsBehind(graph, sources, turns);
  const first = new Walk(graph, turns);
  const found = await first.fetch(sources, givenBy(specs));
  const { ranks } = first;
  const told = { ranks, operations, shapes: new Map<string, Dim[]>() };
  const effect = findEffect([...operations, ...operationsInModules(first)], seeded);
  if (effect) {
    const { operation, kind } = effect;
    const why = `operation \`${operation}\` ${doings[kind]}`;
    return { ...told, verdict: 'effects', writes: kind === 'writes', continues: kind === 'draws on', why };
  }
  const inside = specs.find((spec) => parseTensorName(graphNameOf(spec)).index !== 0);
  if (inside)
    return {
      ...told,
      verdict: 'unproven',
      why: `input \`${inside.name}\` is fed in the middle of the graph`,
    };
  const needsAnother = specs.some(({ name, shape }) => shape === null && ranks.has(name));
  const walk = needsAnother ? new Walk(graph, turns) : first;
  const values = needsAnother ? await walk.fetch(sources, givenBy(withRanks(specs, ranks))) : found;
  for (const [i, { spec }] of fetched.entries()) {
    const why = whyNotRows(values[i]);
    if (why !== undefined) return { ...told, verdict: 'unproven', why: `output \`${spec.name}\`: ${why}` };
  }
  const [obstacle] = walk.obstacles;
  if (obstacle) return { ...told, verdict: 'unproven', why: obstacle.why };
  const shapes = new Map(fetched.map(({ spec }, i) => [spec.name, shapeOf(values[i])]));
  return { ...told, shapes, verdict: 'proven', why: '' };
}

const doings: Readonly<Record<Effect['kind'], string>> = {
  writes: 'keeps something from run to run',
  reads: 'reads what may change between runs',
  draws: 'draws random numbers',
  'draws on': 'draws random numbers from a seed, each run those behind the run before',
};

/** The operations of the StableHLO modules that a walk has read. */
function operationsInModules({ modules }: Walk): string[] {
  return [...modules.values()].flatMap((module) =>
    'kind' in module ? [] : Array.from(module.operationNames, (name) => `stablehlo.${name}`),
  );
}

function shapeOf(value: Value | undefined): Dim[] {
  return (dimsOf(value) ?? []).map((dim) => dim.value ?? null);
}

function withRanks(specs: Inputs, ranks: ReadonlyMap<string, number>): Inputs {
  return Array.from(specs, (spec) => ({ ...spec, shape: spec.shape ?? shapeOfRank(ranks.get(spec.name)) }));
}

/** A shape of which only the rank is known. */
export function shapeOfRank(rank: number | undefined): null[] | null {
  return rank === undefined ? null : Array<null>(rank).fill(null);
}

/**
 * The values of the inputs. An input whose first dim is open has rows. Any other input is the same for all requests of
 * a run.
 */
function givenBy(specs: Inputs): Map<string, Value> {
  const given = new Map<string, Value>();
  for (const spec of specs) {
    const { name, shape } = spec;
    const dims: Dims | undefined = shape?.map((dim, axis) =>
      dim === null ? (axis === 0 ? Size.batch : Size.named(`input ${name}.${axis}`)) : Size.of(dim),
    );
    const value: Value = !dims
      ? { kind: 'unranked', input: name }
      : shape?.[0] === null
        ? { kind: 'rows', axis: 0, dims }
        : same(dims);
    given.set(parseTensorName(graphNameOf(spec)).node, value);
  }
  return given;
}

function whyNotRows(value: Value | undefined): string | undefined {
  switch (value?.kind) {
    case 'rows': {
      const isInFront = value.axis === 0 && value.dims[0]?.equals(Size.batch) && !value.dealt;
      return isInFront ? undefined : 'its first dim is not that of the rows';
    }
    case 'mixed':
      return value.why;
    case 'same':
      return 'it depends on no row';
    default:
      return 'it has no rows of its own';
  }
}

/** Reads `operation:index`, or `operation` for index 0. */
export function parseTensorName(name: string): TensorRef {
  const [, node = name, index = '0'] = /^(.*):(\d+)$/.exec(name) ?? [];
  return { node, argument: '', index: Number(index) };
}
