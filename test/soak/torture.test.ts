/**
 * The short form of `make soak`; SOAK_SECONDS makes it longer, SOAK_SEED repeats one.
 */
import { expect, it } from 'vitest';
import { enoughVersions, torture } from './torture.ts';

const seconds = Number(process.env['SOAK_SECONDS'] ?? 20);
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000);

it(
  'whatever is done to the folder, every request is answered once, by one version, rightly',
  async () => {
    const result = await torture({ seconds, seed, clients: 6 });
    console.log(
      `seed ${seed}: ${result.changes} changes, ${result.exchanges.length} requests, ${result.violations.length} violations`,
    );
    if (result.violations.length > 0) console.log(result.history.join('\n'));
    // The first few: a long list would be cut to its length.
    expect(result.violations.slice(0, 5)).toEqual([]);
    expect(new Set(result.exchanges.map(({ version }) => version)).size).toBeGreaterThanOrEqual(
      enoughVersions,
    );
    expect([result.sessionsLeft, result.tensorsLeft]).toEqual([1, 0]);
  },
  (seconds + 240) * 1000,
);
