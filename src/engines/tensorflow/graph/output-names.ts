/** Finds the output that a name in a function means: `TopKV2:indices:0` is the second output. */
import type { GraphNode, TensorRef } from './graph-def.js';
import { rules } from './rules.js';

/** The names for operations that have no rule for rows, or whose outputs are lists of varying length. */
const argumentLists: Readonly<
  Record<string, (node: GraphNode) => readonly (readonly [argument: string, count: number])[]>
> = {
  Switch: () => [
    ['output_false', 1],
    ['output_true', 1],
  ],
  Merge: () => [
    ['output', 1],
    ['value_index', 1],
  ],
  ParseExample(node) {
    const sparse = node.integer('Nsparse');
    return [
      ['sparse_indices', sparse],
      ['sparse_values', sparse],
      ['sparse_shapes', sparse],
      ['dense_values', node.integer('Ndense')],
    ];
  },
  ParseExampleV2(node) {
    const sparse = node.integer('num_sparse');
    const ragged = node.count('ragged_value_types', 'types');
    return [
      ['sparse_indices', sparse],
      ['sparse_values', sparse],
      ['sparse_shapes', sparse],
      ['dense_values', node.count('Tdense', 'types')],
      ['ragged_values', ragged],
      ['ragged_row_splits', ragged],
    ];
  },
};

/** @returns the number of the output among all outputs of the node; undefined if it is not known */
export function outputNumber(node: GraphNode, { argument, index }: TensorRef): number | undefined {
  if (argument === '') return index;
  const names = rules.get(node.op)?.outputs;
  if (names) {
    const place = names.indexOf(argument);
    return place < 0 ? undefined : place;
  }
  const lists = argumentLists[node.op]?.(node);
  if (!lists) return index;
  let before = 0;
  for (const [name, count] of lists) {
    if (name === argument) return before + index;
    before += count;
  }
  return undefined;
}
