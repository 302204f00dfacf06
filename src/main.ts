#!/usr/bin/env node
/**
 * The program: finds the command, and reports how it ended.
 *
 * A command is imported when it is called. So commands that only read files or ask a server need no TensorFlow.
 */
import './cli/early-stop.js';
import { type Command, UsageError } from './cli/usage.js';
import { messageOf, ServingError } from './errors.js';
import { didYouMean } from './handwritten/nearest.js';

interface CommandRow {
  /** How the command is called. */
  readonly synopsis: string;
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

const commands: ReadonlyMap<string, CommandRow> = new Map([
  [
    'serve',
    { synopsis: 'serve [flags]', summary: 'serve models over HTTP', load: () => import('./cli/serve.js') },
  ],
  [
    'install',
    {
      synopsis: 'install [--quiet]',
      summary: 'fetch TensorFlow and compile the native parts, as serve does at its first start',
      load: () => import('./cli/install.js'),
    },
  ],
  [
    'infer',
    {
      synopsis: 'infer [flags] URL name=value…',
      summary: 'ask a server for a prediction',
      load: () => import('./cli/infer.js'),
    },
  ],
  [
    'encode',
    {
      synopsis: 'encode [flags] name=value…',
      summary: 'inputs into the CBOR body of a request',
      load: () => import('./cli/encode.js'),
    },
  ],
  [
    'decode',
    {
      synopsis: 'decode [flags] [FILE]',
      summary: 'the CBOR of a request or an answer as text',
      load: () => import('./cli/decode.js'),
    },
  ],
  [
    'inspect',
    {
      synopsis: 'inspect [flags] DIR',
      summary: 'signatures, sizes, parameters and operations of SavedModels',
      load: () => import('./cli/inspect.js'),
    },
  ],
]);

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  await runProgram(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`tfjs-serving: ${textOf(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}

async function runProgram(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args;
  switch (name) {
    case '--version':
    case '-v': {
      const { versions } = await import('./cli/version.js');
      process.stdout.write(versions());
      return;
    }
    case '--help':
    case '-h':
      process.stdout.write(usage());
      return;
    case 'help':
      process.stdout.write(rest[0] === undefined ? usage() : await helpOf(rest[0]));
      return;
  }
  // Flags without a command, or no arguments at all, mean the server.
  if (name === undefined || name.startsWith('-')) return (await find('serve')).run(args);
  const command = await find(name);
  if (rest.includes('--help') || rest.includes('-h')) process.stdout.write(command.help());
  else await command.run(rest);
}

async function find(name: string): Promise<Command> {
  const entry = commands.get(name);
  if (!entry)
    throw new UsageError(
      `no command \`${name}\`${didYouMean(name, [...commands.keys()])}; there are ${[...commands.keys()].join(', ')}`,
    );
  return (await entry.load()).command;
}

async function helpOf(name: string): Promise<string> {
  return (await find(name)).help();
}

function usage(): string {
  const rows = [
    ...Array.from(commands.values(), ({ synopsis, summary }) => [synopsis, summary] as const),
    ['help [command]', 'what a command takes, with defaults and units'] as const,
    ['--version', 'versions of this server and of TensorFlow.js'] as const,
  ];
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  tfjs-serving ${left.padEnd(width)}${right}\n`);
  return `tfjs-serving: a model server for TensorFlow SavedModels\n\n${lines.join('')}\nFlags without a command are those of serve.\n`;
}

/** A sentence for an error that the user can fix; a stack for one that only we can. */
function textOf(error: unknown): string {
  if (error instanceof ServingError || error instanceof UsageError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
