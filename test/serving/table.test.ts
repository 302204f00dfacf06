/**
 * What the table says of a model that it does not have.
 */
import { expect, it } from 'vitest';
import { type ModelStatus, resolveLabel, Table } from '../../src/serving/table.ts';

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
  [10_000, /^no model `x`; there are `m0`, .*`m19` and 9980 more$/],
])('of %i models it names twenty at most', (count, message) => {
  expect(() => tableOf(count).get('x')).toThrow(message);
});

it('names twenty labels at most', () => {
  const labels = new Map(Array.from({ length: 25 }, (_, i) => [`l${i}`, i] as const));
  expect(() => resolveLabel({ name: 'm', labels }, 'x')).toThrow(
    /^model `m` has no label `x`; there are `l0`, .*`l19` and 5 more$/,
  );
});

it('says as a fact where the others are listed', () => {
  expect(() => tableOf(21).get('x')).toThrow(expect.objectContaining({ remedy: { kind: 'list models' } }));
  expect(() => tableOf(20).get('x')).toThrow(expect.objectContaining({ remedy: undefined }));
});

it.each([
  ['put it there', 'no model is loaded yet: put it there; the log says what was found'],
  [undefined, 'no model is loaded yet; the log says what was found'],
])('says of an empty source what the source advises: %s', (advice, message) => {
  expect(() => new Table(new Map(), undefined, advice).find({})).toThrow(message);
});
