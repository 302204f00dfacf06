/**
 * What a source must not list, and what is served of a listing that has some of it.
 */
import { expect, it } from 'vitest';
import { checkListing } from '../../../src/control/scan/checked-listing.ts';
import type { Listing, ModelListing, VersionListing } from '../../../src/stores/source.ts';

function version(number: number, place: string): VersionListing {
  return { version: number, place, fingerprint: 'a', arrival: 'whole' };
}

function check(...models: ModelListing[]): Listing {
  return checkListing({ models, problems: ['one of its own'], unserved: [] });
}

it('leaves a listing as it is that has nothing wrong', () => {
  const models = [
    { name: 'a', versions: [version(1, 'a/1'), { version: 2, place: 'a/2' }] },
    { name: 'b', versions: undefined },
  ];
  const listing = { models, problems: [], unserved: ['c'] };
  expect(checkListing(listing)).toEqual(listing);
  const unreadable = { models: undefined, problems: [], unserved: [] };
  expect(checkListing(unreadable)).toBe(unreadable);
});

it.each<[string, ModelListing[], string]>([
  [
    'a number',
    [{ name: 'a', versions: [version(1, 'x'), version(-1, 'y')] }],
    'from 0 on as a version of `a`, got -1',
  ],
  ['a fraction', [{ name: 'a', versions: [version(1, 'x'), version(1.5, 'y')] }], 'got 1.5'],
  [
    'a second one',
    [{ name: 'a', versions: [version(1, 'x'), version(1, 'y')] }],
    'version 1 of `a` is listed twice',
  ],
  [
    'a place that is taken',
    [{ name: 'a', versions: [version(1, 'x'), version(2, 'x')] }],
    'in the same place as another: x',
  ],
  [
    'a second model',
    [
      { name: 'a', versions: [version(1, 'x')] },
      { name: 'a', versions: [] },
    ],
    'the model `a` is listed twice',
  ],
  [
    'a slash',
    [
      { name: 'a', versions: [version(1, 'x')] },
      { name: 'b/c', versions: [] },
    ],
    'without a slash, got `b/c`',
  ],
])('tells of %s, and leaves it out', (_, models, problem) => {
  const checked = check(...models);
  expect(checked.models).toEqual([{ name: 'a', versions: [version(1, 'x')] }]);
  expect(checked.problems).toEqual(['one of its own', expect.stringContaining(problem)]);
});
