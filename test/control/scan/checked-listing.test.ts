/** What a source must not list, and which part of a wrong listing is served. */
import { expect, it } from 'vitest';
import { checkListing } from '../../../src/control/scan/checked-listing.ts';
import type { Listing, ModelListing, VersionListing } from '../../../src/stores/source.ts';

function version(number: number, place: string): VersionListing {
  return { version: number, place, fingerprint: 'a', arrival: 'whole' };
}

function check(...models: ModelListing[]): Promise<Listing> {
  return checkListing({ models, problems: ['one of its own'], unserved: [] });
}

it('leaves a listing as it is that has nothing wrong', async () => {
  const models = [
    { name: 'a', versions: [version(1, 'a/1'), { version: 2, place: 'a/2' }] },
    { name: 'b', versions: undefined },
  ];
  const listing = { models, problems: [], unserved: ['c'] };
  expect(await checkListing(listing)).toEqual(listing);
  const unreadable = { models: undefined, problems: [], unserved: [] };
  expect(await checkListing(unreadable)).toEqual(unreadable);
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
    'no fingerprint',
    [{ name: 'a', versions: [version(1, 'x'), { ...version(2, 'y'), fingerprint: undefined as never }] }],
    'version 2 of `a`: expected a text as its fingerprint, got `undefined`',
  ],
  [
    'no arrival',
    [{ name: 'a', versions: [version(1, 'x'), { ...version(2, 'y'), arrival: {} as never }] }],
    "version 2 of `a`: expected 'whole' or",
  ],
  [
    'a number in a text',
    [{ name: 'a', versions: [version(1, 'x'), version('2' as never, 'y')] }],
    'got `"2"`',
  ],
  [
    'settings that are none',
    [{ name: 'a', versions: [version(1, 'x')], config: { pin: 'x' as never } }],
    'the settings of `a`: ',
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
])('tells of %s, and leaves it out', async (_, models, problem) => {
  const checked = await check(...models);
  expect(checked.models).toEqual([{ name: 'a', versions: [version(1, 'x')] }]);
  expect(checked.problems).toEqual(['one of its own', expect.stringContaining(problem)]);
});

it('takes settings as a file may have them, and fills in the rest', async () => {
  const listed = { models: [{ name: 'a', versions: [], config: { pin: 3 } }], problems: [], unserved: [] };
  const { models } = await checkListing(listed);
  expect(models?.[0]?.config).toEqual({
    pin: 3,
    model_version_policy: { latest: { num_versions: 1 } },
    version_labels: {},
  });
});
