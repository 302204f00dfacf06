/**
 * Returns memory to the system. The memory that runs have freed is kept for the next ones, and returned once there have
 * been none for a while.
 */

import type { Milliseconds } from '../../time.js';
import type { NativeBinding } from './native.js';

/** The milliseconds after which nobody seems to want the memory: no large tensor was freed in that time. */
const quietTime: Milliseconds = 30_000;

/** The bindings whose memory is checked. The memory belongs to the process. */
const seenTo = new WeakSet<NativeBinding>();

/** Checks from now on, as long as the process lives. It does not keep the process alive. */
export function giveBackWhenIdle(binding: NativeBinding): void {
  if (seenTo.has(binding)) return;
  seenTo.add(binding);
  setInterval(idleCheck(binding), quietTime).unref();
}

/**
 * @returns a function to call at intervals. It returns memory if some was freed earlier, but none since the last call
 */
export function idleCheck(
  binding: Pick<NativeBinding, 'counters' | 'freedBytes' | 'giveBackFreeMemory'>,
): () => void {
  let [before, givenBack] = [0, 0];
  return () => {
    const freed = binding.freedBytes();
    if (freed === before && freed > givenBack && binding.counters().runsInFlight === 0) {
      givenBack = freed;
      binding.giveBackFreeMemory();
    }
    before = freed;
  };
}
