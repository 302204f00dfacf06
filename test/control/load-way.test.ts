/**
 * Which versions are rehearsed, and which are not loaded at all.
 */
import { describe, expect, it } from 'vitest';
import type { Suspect } from '../../src/control/load/load-notes.ts';
import { type LoadFacts, loadWay } from '../../src/control/load/load-way.ts';

const plain: LoadFacts = { rehearse: 'auto', suspect: undefined, canRehearse: 'all of it', isServing: true };
const once: Suspect = { at: '2026-11-28T17:30:32.161Z', deaths: 1, isPardoned: false };

describe('a version that nobody died of', () => {
  it.each<[Partial<LoadFacts>, string]>([
    [{}, 'rehearsed if there is room'],
    [{ isServing: false }, 'at once'],
    [{ rehearse: 'off' }, 'at once'],
    [{ rehearse: 'on' }, 'rehearsed'],
    [{ rehearse: 'on', isServing: false }, 'rehearsed'],
    [{ rehearse: 'on', canRehearse: 'nothing' }, 'at once'],
    [{ canRehearse: 'the model beneath its handler' }, 'rehearsed if there is room'],
  ])('%o: %s', (facts, way) => {
    expect(loadWay({ ...plain, ...facts })).toBe(way);
  });
});

describe('a version that a server died of', () => {
  it.each<[Partial<LoadFacts>, string]>([
    [{ suspect: once }, 'rehearsed'],
    [{ suspect: once, isServing: false }, 'rehearsed'],
    [{ suspect: { ...once, deaths: 2, isPardoned: true } }, 'rehearsed'],
    [{ suspect: { ...once, isPardoned: true }, rehearse: 'off' }, 'at once'],
  ])('%o: %s', (facts, way) => {
    expect(loadWay({ ...plain, ...facts })).toBe(way);
  });

  it.each<[Partial<LoadFacts>, string]>([
    [
      { suspect: once, rehearse: 'off' },
      'a server died while it loaded this version (begun at 2026-11-28T17:30:32.161Z)',
    ],
    [{ suspect: once, canRehearse: 'nothing' }, 'a server died'],
    [{ suspect: once, canRehearse: 'the model beneath its handler' }, 'a server died'],
    [{ suspect: { ...once, deaths: 2 } }, '2 servers died, the last while it loaded this version'],
  ])('%o is refused: %s', (facts, reason) => {
    expect(() => loadWay({ ...plain, ...facts })).toThrow(reason);
  });
});
