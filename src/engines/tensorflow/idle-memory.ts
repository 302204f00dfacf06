/**
 * Memory that runs have freed is kept for the next ones. Once there have been none for a while, it goes back to the system.
 */
import type { NativeBinding } from './native.js';

/** Milliseconds without a large tensor freed after which nobody seems to want the memory. */
const quietMilliseconds = 30_000;

/** Of which memory is seen to: it is the process's. */
const seenTo = new WeakSet<NativeBinding>();

/** Looks from now on, for as long as the process lives; does not keep it alive. */
export function giveBackWhenIdle(binding: NativeBinding): void {
  if (seenTo.has(binding)) return;
  seenTo.add(binding);
  setInterval(idleCheck(binding), quietMilliseconds).unref();
}

/** @returns what is to be called now and then: it gives memory back if some was freed, and none since the call before */
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
