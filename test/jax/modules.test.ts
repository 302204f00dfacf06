/**
 * StableHLO modules that try to pass for row by row, or to keep the walk busy for ever. `modules/` has each as text,
 * and as `scripts/make_jax_models.py` encodes it.
 */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { TensorSpec } from '../../src/engines/signature.ts';
import { GraphDef } from '../../src/engines/tensorflow/graph/graph-def.ts';
import { proveRows, type SignatureProof } from '../../src/engines/tensorflow/graph/prove.ts';
import { Turns } from '../../src/flow/turns.ts';
import { GraphBuilder } from '../fixtures/graph.ts';
import type { AttributeMessage } from '../fixtures/graph-proto.ts';
import { jaxModules } from '../fixtures/jax.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';

openTestRuntime();

async function prove(
  module: string,
  attributes: Readonly<Record<string, AttributeMessage>> = {},
): Promise<SignatureProof> {
  const graph = new GraphBuilder();
  const inputs = [graph.placeholder('float32', [null, 4], { name: 'x' })];
  if (module === 'rows_through_a_table') inputs.push(graph.placeholder('int32', [null, 1], { name: 'i' }));
  const bytes = await readFile(path.join(jaxModules, `${module}.mlirbc`));
  const y = graph.first('XlaCallModule', inputs, {
    module: { s: bytes },
    version: 10,
    Sout: { list: { shape: [{ unknownRank: true }] } },
    Tout: { list: { type: [1] } },
    ...attributes,
  });
  const spec = (name: string, graphName: string, dims: number): [string, TensorSpec] => [
    name,
    { name, dtype: 'float32', shape: [null, dims], graphName: `${graphName}:0` },
  ];
  const signature = {
    inputs: new Map(inputs.map(({ node }) => spec(node, node, node === 'x' ? 4 : 1))),
    outputs: new Map([spec('y', y.name, 4)]),
  };
  return proveRows(await GraphDef.read(graph.encode(), new Turns()), signature, new Turns());
}

const reasons: Readonly<Record<string, string>> = {
  beyond_doubles: '`stablehlo.reverse` reverses the rows',
  branch_by_first_row: '`stablehlo.slice` takes some of the rows, or may',
  branch_by_size: '`stablehlo.if` chooses for all rows together',
  calls_itself: 'a StableHLO module calls too many functions within each other',
  calls_without_end: 'a StableHLO module is too large to follow',
  check_of_size: '`stablehlo.custom_call` checks the size of the batch',
  diagonal: 'makes a tensor with several dims of the size of the batch',
  loop_over_size: 'goes on for as long as a condition holds that depends on the rows',
  one_number_of_rows: 'a StableHLO module takes one number of rows only: it was exported for that',
  order_by_all_rows: '`stablehlo.reduce` takes rows together',
  random_numbers: 'operation `stablehlo.rng` draws random numbers',
  reduction_with_all_rows: '`stablehlo.reduce` takes rows together',
  rows_of_one_for_all: 'gives a tensor that is the same for all a row for each request',
  rows_through_a_table: 'takes rows by indices that depend on rows',
  unknown_call: 'calls `mystery`, of which nothing is known',
  unknown_call_unused: 'calls `mystery`, of which nothing is known',
  wraps_around: 'takes some of the rows, or may',
  written_row: 'writes some of the rows, or may',
};

it('each module has a reason', () => {
  const files = readdirSync(jaxModules).filter((file) => file.endsWith('.mlir'));
  expect(files.map((file) => file.replace('.mlir', '')).sort()).toEqual(Object.keys(reasons).sort());
});

it.each(Object.entries(reasons))(
  '%s: %s',
  async (module, why) => {
    const proof = await prove(module);
    expect(proof.verdict).toBe(module === 'random_numbers' ? 'effects' : 'unproven');
    expect(proof.why).toContain(why);
  },
  60_000,
);

it.each<[string, Readonly<Record<string, AttributeMessage>>]>([
  ['is of version 4, from before sizes were told by shapes', { version: { i: 4 } }],
  ['takes sizes as inputs', { dim_args_spec: { list: { s: [Buffer.from('0.0')] } } }],
  ['takes a token for its effects', { has_token_input_output: { b: true } }],
  [
    'has 2 inputs for 1 parameters',
    { platforms: { list: { s: [Buffer.from('CPU'), Buffer.from('CUDA')] } } },
  ],
  [
    'has a StableHLO module that is not read: expected MLIR bytecode',
    { module: { s: Buffer.from('module') } },
  ],
])('a call that %s is not followed', async (why, attributes) => {
  const proof = await prove('branch_by_size', attributes);
  expect([proof.verdict, proof.why]).toEqual(['unproven', expect.stringContaining(why)]);
});
