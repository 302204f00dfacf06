#!/usr/bin/env node
/**
 * The program: commands, signals, exit codes.
 */
import { serveHelp, usage } from './cli/help.js';
import { parseSettings } from './cli/parse.js';
import { versions } from './cli/version.js';
import { messageOf, ServingError } from './errors.js';
import { startServer } from './server.js';
import { createLogger } from './telemetry/logger.js';

const [command, ...args] = process.argv.slice(2);

try {
  switch (command) {
    case 'serve':
      await serve(args);
      break;
    case '--version':
    case '-v':
      process.stdout.write(versions());
      break;
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(usage);
      break;
    default:
      throw new ServingError('INVALID_ARGUMENT', `no command \`${command}\`\n\n${usage}`);
  }
} catch (error) {
  // A sentence for what the user can mend, a stack for what only we can.
  const text =
    error instanceof ServingError ? error.message : error instanceof Error ? error.stack : messageOf(error);
  process.stderr.write(`tfjs-serving: ${text}\n`);
  process.exit(error instanceof ServingError && error.code === 'INVALID_ARGUMENT' ? 2 : 1);
}

/** Serves until SIGTERM or SIGINT, and ends the process with 0 if every request under way was answered, else with 1. */
async function serve(args: readonly string[]): Promise<void> {
  const settings = parseSettings(args, process.env);
  if (!settings) {
    process.stdout.write(serveHelp());
    return;
  }
  const logger = createLogger({ level: settings.logLevel, format: settings.logFormat });
  const server = await startServer(settings, logger);
  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    logger.info(`${signal}: finishing the requests under way`);
    const finished = await server.close();
    if (!finished) logger.error('some requests were not finished within --shutdown-timeout');
    // Nothing is left that a normal exit would have to wait for; what hangs would keep it waiting.
    server.runtime.exitNow(finished ? 0 : 1);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await server.started;
  if (!stopping) logger.info(`serving on ${server.address}`);
}
