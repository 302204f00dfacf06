/**
 * The operations of a graph, in functions too, and graphs with a wrong byte.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';
import { GraphDef } from '../../../src/engines/tensorflow/graph/graph-def.ts';
import { readGraphOperations } from '../../../src/engines/tensorflow/saved-model/graph-operations.ts';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { ServingError } from '../../../src/errors.ts';
import { Turns } from '../../../src/flow/turns.ts';
import { customModels } from '../../fixtures/custom-operations.ts';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Func { string name = 1; }
  message List { repeated string s = 2; repeated Func func = 9; }
  message Value { List list = 1; bytes s = 2; int64 i = 3; Func func = 10; }
  message Attr { string key = 1; Value value = 2; }
  message Node { string name = 1; string op = 2; repeated string input = 3; string device = 4; repeated Attr attr = 5; }
  message Op { string name = 1; string summary = 5; }
  message Function { Op signature = 1; repeated Node node_def = 3; }
  message Library { repeated Function function = 1; }
  message Graph { repeated Node node = 1; Library library = 2; }
`);
const Graph = root.lookupType('Graph');

const calling = (op: string, ...functions: string[]) => ({
  op,
  attr: [
    { key: 'T', value: { i: 1 } },
    { key: 'names', value: { list: { s: ['not a function'] } } },
    functions.length === 1
      ? { key: 'f', value: { func: { name: functions[0] } } }
      : { key: 'branches', value: { list: { func: functions.map((name) => ({ name })) } } },
  ],
});

it('that are used are those of the functions that are called, by attribute, list or name, and of theirs', async () => {
  const graph = Graph.encode({
    node: [{ name: 'x', op: 'Placeholder', input: ['y'], device: '/cpu:0' }, calling('Case', 'one', 'two')],
    library: {
      function: [
        { signature: { name: 'one', summary: 'never' }, nodeDef: [{ op: 'Add' }, calling('If', 'three')] },
        // It calls itself, and another by its name.
        { signature: { name: 'two' }, nodeDef: [calling('While', 'two'), { op: 'four' }, { op: 'Add' }] },
        { signature: { name: 'three' }, nodeDef: [{ op: 'Mul' }] },
        { signature: { name: 'four' }, nodeDef: [{ op: 'Sub' }] },
        { signature: { name: 'alone' }, nodeDef: [{ op: 'Div' }, { op: 'Add' }, calling('Map', 'five')] },
        { signature: { name: 'five' }, nodeDef: [{ op: 'Neg' }] },
      ],
    },
  }).finish();
  const { counts, used } = await readGraphOperations(graph, new Turns());
  expect(used).toEqual(new Set(['Placeholder', 'Case', 'Add', 'If', 'While', 'Mul', 'Sub']));
  expect(Object.fromEntries(counts)).toEqual({
    ...{ Placeholder: 1, Case: 1, Add: 3, If: 1, While: 1, Mul: 1, Sub: 1, Div: 1, Map: 1, Neg: 1 },
  });
});

it('of a graph of many nodes are read in pieces: others have their turn', async () => {
  const node = Array.from({ length: 100_000 }, (_, i) => ({
    name: `n${i}`,
    op: 'Identity',
    input: [`n${i - 1}`],
  }));
  const graph = Graph.encode({ node }).finish();
  let turns = 0;
  const counting = setInterval(() => {
    turns += 1;
  }, 0);
  try {
    const { counts } = await readGraphOperations(graph, new Turns());
    expect(counts.get('Identity')).toBe(100_000);
    expect(turns).toBeGreaterThan(1);
    turns = 0;
    const { nodes } = await GraphDef.read(graph, new Turns());
    expect([...nodes.byName.values()]).toHaveLength(100_000);
    expect(turns).toBeGreaterThan(1);
  } finally {
    clearInterval(counting);
  }
});

it('whichever byte of a file is wrong, the reason is told', async () => {
  const file = await readFile(path.join(customModels, 'named_function', '1', 'saved_model.pb'));
  const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-damaged-'));
  const reasons = new Set<string>();
  for (const i of file.keys()) {
    const damaged = Buffer.from(file);
    damaged[i] = 0xff ^ (damaged[i] ?? 0);
    await writeFile(path.join(folder, 'saved_model.pb'), damaged);
    await readSavedModel(folder, ['serve']).catch((error) => {
      expect(error, `byte ${i}`).toBeInstanceOf(ServingError);
      reasons.add(error.code);
    });
  }
  await rm(folder, { recursive: true });
  expect(reasons).toContain('DATA_LOSS');
});
