/** TensorFlow reads once what XLA may compile. A process that has opened it without `--xla` cannot turn it on later. */
import { expect, it } from 'vitest';
import { openTestRuntime } from '../../fixtures/runtime.ts';

it('is refused, rather than compile what would answer where TensorFlow fails', () => {
  openTestRuntime();
  expect(() => openTestRuntime({ xla: true })).toThrow(
    expect.objectContaining({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('has opened TensorFlow without it'),
    }),
  );
  expect(openTestRuntime().mode.xla).toBe(false);
});
