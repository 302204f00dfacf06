/**
 * `tfjs-serving install`. `serve` runs it by itself if something is missing.
 *
 * The step is a process of its own (`scripts/install.js`, which make runs too), so that nothing of it stays in the
 * server's memory. Its whole output goes to stderr, because stdout is the server's log.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingParts } from '../engines/tensorflow/installed.js';
import type { RuntimeKind } from '../engines/tensorflow/runtime.js';
import { withoutEarlyStop } from './early-stop.js';
import { type Command, parseArguments, UsageError } from './usage.js';

export const command: Command = { help, run };

const script = fileURLToPath(new URL('../../scripts/install.js', import.meta.url));

function help(): string {
  return `tfjs-serving install [--quiet]: fetch TensorFlow and compile the native parts, where that is still to be done

  --quiet   say nothing when there is nothing to do
  --help    this text

serve does the same at its first start. It takes a C++17 compiler and Python 3 with pip; by environment variables:
  DEVICE=cpu|gpu|auto        the TensorFlow to install: for the processor, for CUDA, by what the machine has (auto)
  TENSORFLOW_DIR=FOLDER      a libtensorflow of your own instead
  TFJS_SERVING_CACHE=FOLDER  where downloads and compiled code are kept (~/.cache/tfjs-serving)
`;
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArguments('install', args, { quiet: { type: 'boolean' } });
  if (positionals.length > 0) throw new UsageError('install takes no arguments');
  process.exitCode = await runInstallStep(values.quiet ? ['--quiet'] : []);
}

/**
 * Runs the install step if a runtime lacks something.
 *
 * @returns 0, or the exit code of the step, which has said why
 */
export async function installMissing(kind: RuntimeKind): Promise<number> {
  const [missing] = missingParts(kind);
  if (missing === undefined) return 0;
  process.stderr.write(
    `[install] there is no ${path.relative('', missing)} yet: fetching and compiling what is missing, once\n`,
  );
  return withoutEarlyStop(() => runInstallStep(['--quiet']));
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function runInstallStep(args: readonly string[]): Promise<number> {
  // The step has a process group of its own. So it gets a signal once, from us, even if a terminal signals our whole
  // group.
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 2, 2], detached: true });
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  const [code] = (await once(child, 'exit')) as [number | null];
  for (const signal of signals) process.off(signal, forward);
  return code ?? 1;
}
