/**
 * What the table says of a model that it does not have.
 */
import { expect, it } from 'vitest';
import { type ModelStatus, Table } from '../../src/serving/table.ts';

function tableOf(count: number): Table {
  const status: Omit<ModelStatus, 'name'> = {
    ...{ versions: [], serving: undefined, available: new Map(), labels: new Map() },
    ...{ wanted: undefined, pinned: undefined, doubts: [], isUnloaded: false, sourceMissing: false },
  };
  const names = Array.from({ length: count }, (_, i) => `m${i}`);
  return new Table(new Map(names.map((name) => [name, { ...status, name }])), undefined);
}

it.each([
  [0, /^no model `x`; there are none$/],
  [1, /^no model `x`; there is `m0`$/],
  [20, /^no model `x`; there are `m0`, .*`m19`$/],
  [10_000, /^no model `x`; there are `m0`, .*`m19` and 9980 more: GET \/models lists them$/],
])('of %i models it names twenty at most', (count, message) => {
  expect(() => tableOf(count).get('x')).toThrow(message);
});
