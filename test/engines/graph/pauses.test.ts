/** A large graph is read and followed in pieces, even if all of it is one function. */
import { expect, it } from 'vitest';
import { GraphDef } from '../../../src/engines/tensorflow/graph/graph-def.ts';
import { proveRows } from '../../../src/engines/tensorflow/graph/prove.ts';
import { readGraphOperations } from '../../../src/engines/tensorflow/saved-model/graph-operations.ts';
import { CountedTurns } from '../../fixtures/counted-turns.ts';
import { GraphBuilder } from '../../fixtures/graph.ts';

const nodes = 3000;

/** `y = f(x)`, where f is a chain of nodes. */
function functionOfMany() {
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', [null], { name: 'x' });
  const f = graph.function('f', (body) => {
    let y = body.parameter('float32');
    for (let i = 0; i < nodes; i++) y = body.first('Neg', [y]);
    return [y];
  });
  graph.add(
    'PartitionedCall',
    [x],
    { f, Tin: { list: { type: [1] } }, Tout: { list: { type: [1] } } },
    { name: 'y' },
  );
  return graph.encode();
}

it('each node of a function may be followed by a pause', async () => {
  const bytes = functionOfMany();
  const turns = new CountedTurns();
  const perNode = async (work: () => Promise<unknown>) => {
    turns.count = 0;
    await work();
    return Math.floor(turns.count / nodes);
  };
  const operations = await readGraphOperations(bytes, turns);
  expect(operations.counts.get('Neg')).toBe(nodes);
  expect(await perNode(() => readGraphOperations(bytes, turns))).toBeGreaterThanOrEqual(1);
  expect(await perNode(() => GraphDef.read(bytes, turns))).toBeGreaterThanOrEqual(1);
  const graph = await GraphDef.read(bytes, turns);
  const spec = (name: string) => ({ name, dtype: 'float32' as const, shape: [null], graphName: `${name}:0` });
  const signature = { inputs: new Map([['x', spec('x')]]), outputs: new Map([['y', spec('y')]]) };
  // The nodes are read, their roots found, put in order, evaluated, and looked at for loops.
  let verdict = '';
  const asks = await perNode(async () => {
    verdict = (await proveRows(graph, signature, turns)).verdict;
  });
  expect(verdict).toBe('proven');
  expect(asks).toBeGreaterThanOrEqual(5);
});
