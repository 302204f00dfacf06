/** `tfjs-serving serve`: reads settings, handles signals, and sets exit codes. */
import { checkCombinations } from '../config/combinations.js';
import { findModels } from '../config/model-path.js';
import { isGiven, parseSettings, unknownVariables } from '../config/parse.js';
import type { Settings } from '../config/settings.js';
import { messageOf, ServingError } from '../errors.js';
import { createServer, type Server } from '../server.js';
import { createLogger, type Logger, logDrained } from '../telemetry/logger.js';
import { inMilliseconds, type Milliseconds, type Moment, now } from '../time.js';
import { ConfigReload } from './config-reload.js';
import { stopBeforeServing } from './early-stop.js';
import { serveHelp } from './help.js';
import { installMissing } from './install.js';
import { ServiceManager } from './service-manager.js';
import { type Command, UsageError } from './usage.js';

/** The milliseconds to wait for the last lines of the log. */
const exitTime: Milliseconds = 1000;

/** For all that the end takes besides waiting for requests and models. */
const spareTime: Milliseconds = 10_000;

export const command: Command = { help: serveHelp, run: serve };

/** Serves until SIGTERM or SIGINT. It ends the process with 0 if every request under way was answered, else with 1. */
async function serve(args: readonly string[]): Promise<void> {
  try {
    await start(args);
  } catch (error) {
    // A wrong value at start came from a flag, a variable or the config file.
    if (error instanceof ServingError && error.code === 'INVALID_ARGUMENT')
      throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function start(args: readonly string[]): Promise<void> {
  const settings = parseSettings(args, process.env);
  if (!settings) {
    process.stdout.write(serveHelp());
    return;
  }
  checkCombinations(settings);
  const { modelPath, demo } = findModels(settings, isGiven('modelPath', args, process.env));
  // Installing may take a minute, so it comes after everything that can be refused at once.
  const code = await installMissing(settings.runtime);
  if (code !== 0) {
    process.exitCode = code;
    return;
  }
  const logger = createLogger({ level: settings.logLevel, format: settings.logFormat });
  const configReload = new ConfigReload(settings, args, logger);
  // SIGUSR1 would start a debugger.
  process.on('SIGUSR1', () => logger.info('SIGUSR1: ignored; start Node with --inspect to debug'));
  for (const warning of unknownVariables(process.env)) logger.warn(warning);
  if (demo)
    logger.warn(
      `no --model-path, and no folder ${settings.modelPath} here: serving the demo models in ${modelPath}`,
    );
  const server = createServer({ ...settings, modelPath, logger });
  const manager = new ServiceManager(process.env, server.runtime.notify, logger);
  // It also comes from a terminal that closes. Before this, `early-stop.ts` has kept it from ending the process.
  process.on('SIGHUP', () => {
    logger.info(
      'SIGHUP: reading the settings, the certificate and the API keys again, and opening the access log anew; models and serving.json are watched',
    );
    manager.reloading();
    configReload.reload(server);
    server
      .reloadFiles()
      .catch((error: unknown) => logger.error(messageOf(error)))
      .finally(() => manager.reloaded());
  });
  const stopping = new Stopping(server, configReload.current, manager, logger);
  const stop = (signal: NodeJS.Signals) => void stopping.signalled(signal);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.off('SIGTERM', stopBeforeServing);
  process.off('SIGINT', stopBeforeServing);
  manager.status('loading the models that were found');
  await server.start();
  if (stopping.hasBegun) return;
  manager.ready(`serving on ${server.address}`);
  // Programs take the first address in the log for that of the server, so this line comes first.
  logger.info(`serving on ${server.address}`);
  logger.info(`a page to try the models: ${server.address}/docs`);
}

/** npm and terminals may send one signal twice. A second one that is meant comes later than this. */
const echoTime: Milliseconds = 500;

/** Ends the process: after the requests under way at the first signal, at once at the second. */
class Stopping {
  private begun: Moment | undefined;

  constructor(
    private readonly server: Server,
    private readonly settings: Pick<Settings, 'drainDelay' | 'shutdownTimeout'>,
    private readonly manager: ServiceManager,
    private readonly logger: Logger,
  ) {}

  get hasBegun(): boolean {
    return this.begun !== undefined;
  }

  async signalled(signal: NodeJS.Signals): Promise<void> {
    const { server, manager, logger } = this;
    const { drainDelay, shutdownTimeout } = this.settings;
    if (this.begun !== undefined) {
      if (now() - this.begun < echoTime) return;
      logger.warn(`${signal} again: ending at once`);
      await logDrained(exitTime);
      server.runtime.exitNow(1);
      return;
    }
    this.begun = now();
    const first = drainDelay > 0 ? `not ready from now on, and in ${drainDelay} s ` : '';
    logger.info(`${signal}: ${first}finishing the requests under way; a second signal ends at once`);
    // The server takes --drain-delay and twice --shutdown-timeout at most. Whatever hangs, the process ends.
    const longest = inMilliseconds(drainDelay + 2 * shutdownTimeout) + spareTime;
    manager.stopping('finishing the requests under way', longest);
    setTimeout(() => server.runtime.exitNow(1), longest);
    const finished = await server.close().catch((error: unknown) => {
      logger.error({ err: error }, 'the server failed to close');
      return false;
    });
    if (!finished) logger.error('some requests were not finished within --shutdown-timeout');
    await logDrained(exitTime);
    // A normal exit would wait for runs that hang. Nothing else is left to wait for.
    server.runtime.exitNow(finished ? 0 : 1);
  }
}
