/** Decides how many workers there are, and how many models each of them may run at once. */
import { availableParallelism } from 'node:os';
import type { Settings } from '../config/settings.js';

/** The number of workers; 0 if the main thread answers all requests by itself. */
export function workerCount({ workers, runtime }: Pick<Settings, 'workers' | 'runtime'>): number {
  if (runtime !== 'native') return 0;
  const count = workers === 'auto' ? Math.floor(availableParallelism() / 2) : workers;
  return count > 1 ? count : 0;
}

/** The models that each worker may run at once, so that all of them together run about as many as there are slots. */
export function slotsOfWorker(slots: number, workers: number): number {
  return workers === 0 ? 0 : Math.max(1, Math.ceil(slots / workers));
}
