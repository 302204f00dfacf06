/**
 * Signals before there is a server that could be stopped: the process ends with 0, as it does later.
 *
 * This is the first module that the program imports, so that the time without a handler is that of Node's own start.
 */

/** Ends the process: nothing is under way yet. */
export function stopBeforeServing(): void {
  process.exit(0);
}

const [name] = process.argv.slice(2);

if (name === undefined || name === 'serve' || name.startsWith('-')) {
  process.on('SIGTERM', stopBeforeServing);
  process.on('SIGINT', stopBeforeServing);
  // Until the server says otherwise in its log.
  process.on('SIGHUP', () => {});
  process.on('SIGUSR1', () => {});
}
