/**
 * Handles signals before there is a server to stop. The process ends with 0, as it does later.
 *
 * The program imports this module first, so that no handler is missing after Node's own start.
 */

/** Ends the process, since nothing is under way yet. */
export function stopBeforeServing(): void {
  process.exit(0);
}

/** The signals that end the process. */
const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/** Leaves the signals to work that has its own way to end. */
export async function withoutEarlyStop<Result>(work: () => Promise<Result>): Promise<Result> {
  const heeded = stopSignals.filter((signal) => process.listeners(signal).includes(stopBeforeServing));
  for (const signal of heeded) process.off(signal, stopBeforeServing);
  try {
    return await work();
  } finally {
    for (const signal of heeded) process.on(signal, stopBeforeServing);
  }
}

const [name] = process.argv.slice(2);

if (name === undefined || name === 'serve' || name.startsWith('-')) {
  for (const signal of stopSignals) process.on(signal, stopBeforeServing);
  // The server logs this signal later, once it serves.
  process.on('SIGHUP', () => {});
  process.on('SIGUSR1', () => {});
}
