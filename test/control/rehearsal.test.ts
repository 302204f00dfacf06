/** The error for a rehearsal whose process ended. */
import { expect, it } from 'vitest';
import { explainDeath } from '../../src/control/load/rehearsal.ts';

const banner =
  'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n' +
  'I0000 00:00:1795914656.318132   22674 port.cc:153] oneDNN custom operations are on. You may see slightly different results\n';

it('one that ended by itself gave no answer, and what TensorFlow says at each start is no reason', () => {
  expect(explainDeath(0, null, 'warming it up', banner)).toEqual({
    kind: 'failed',
    code: 'FAILED_PRECONDITION',
    message: 'warming it up ended a rehearsal without an answer',
  });
});

it('a failed check is the reason, wherever it stands', () => {
  const text = `F0000 00:00:1795914656.318132   22674 tensor.cc:904] Check failed: 1 == NumElements()\n${banner}`;
  expect(explainDeath(null, 'SIGABRT', 'warming it up', text)).toMatchObject({
    message: 'warming it up ended a rehearsal with SIGABRT: tensor.cc:904] Check failed: 1 == NumElements()',
  });
});

it('without one the last line is told, and an exit code', () => {
  expect(explainDeath(3, null, undefined, `${banner}no space left\n`)).toMatchObject({
    message: 'loading it ended a rehearsal with exit code 3: no space left',
  });
});
