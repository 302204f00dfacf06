/**
 * Signals before there is a server that could be stopped: the process ends with 0, as it does later.
 *
 * This is the first module that the program imports, so that the time without a handler is that of Node's own start.
 */

/** Ends the process: nothing is under way yet. */
export function stopBeforeServing(): void {
  process.exit(0);
}

/** The signals that do so. */
const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/** Leaves the signals to work that ends by them in its own way. */
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
  // Until the server says otherwise in its log.
  process.on('SIGHUP', () => {});
  process.on('SIGUSR1', () => {});
}
