/** How long a version must stay the same if it is served already and changes in place. */
import { expect, it } from 'vitest';
import { arrivalOf, copyPatience } from '../../../src/control/scan/arrival.ts';
import type { ArrivalFacts } from '../../../src/stores/source.ts';

const facts: ArrivalFacts = {
  model: 'files',
  clock: 'own',
  identity: '1:2',
  changedAt: 1000,
  placedAt: undefined,
  madeAt: undefined,
  entries: ['saved_model.pb'],
};
const earlier = { fingerprint: 'before', identity: '1:2', since: 0, quiet: true };
const options = { moment: 20_000, wall: 1000, settle: 1000, scannedAt: 900, atStart: false, marked: false };

it('--settle where only its handler was edited', () => {
  const arrival = arrivalOf('now', facts, { ...earlier, model: 'files' }, options);
  expect(arrival).toMatchObject({ kind: 'whole', needs: options.settle });
});

it('as long as a copy where its files changed', () => {
  const arrival = arrivalOf('now', facts, { ...earlier, model: 'other files' }, options);
  expect(arrival.kind).toBe('copied');
  expect(arrival.needs).toBeGreaterThanOrEqual(copyPatience * options.settle);
});

it('as long as a copy where it had not settled yet: the handler may have come with it', () => {
  const arrival = arrivalOf('now', facts, { ...earlier, model: 'files', quiet: false }, options);
  expect(arrival.kind).toBe('copied');
});
