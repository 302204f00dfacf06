/**
 * The log: to stdout, as lines for people or as JSON for programs. TensorFlow's own lines go to stderr.
 */
import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Milliseconds } from '../time.js';
import { neverWaitForErrors, sharedOutput } from './log-output.js';

export type { Logger };

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
const logFormats = ['text', 'json'] as const;

export interface LoggerOptions {
  readonly level: (typeof logLevels)[number];
  readonly format: (typeof logFormats)[number];
}

/** The number of log lines that were dropped because nobody read them. */
export function droppedLogLines(): number {
  return sharedOutput().droppedLines;
}

/**
 * Resolves when all log lines have been written, or after so many milliseconds. It is called before the process ends.
 */
export async function logDrained(patience: Milliseconds): Promise<void> {
  await sharedOutput().drained(patience);
}

/**
 * Makes a logger. Both formats write a line at once if there is room, so that it is there even if the process ends
 * right after. Names and messages from outside cannot begin a new line.
 */
export function createLogger({ level, format }: LoggerOptions): Logger {
  neverWaitForErrors();
  const options = { level, base: null, serializers: { err: describeError } };
  const toText = prettyFactory({
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    messageFormat: (log, key) => withoutControls(String(log[key] ?? '')),
  });
  const logger: Logger = pino(options, {
    write(line: string): void {
      sharedOutput().write(format === 'json' ? line : toText(line));
    },
  });
  sharedOutput().onRoom = (dropped) =>
    logger.warn(`${dropped} lines of the log were dropped: nobody read them`);
  return logger;
}

interface DescribedError {
  readonly type: string;
  readonly code?: unknown;
  readonly message: string;
  readonly stack: string;
}

/** Leaves out an error's other properties. Those of a malformed request hold its bytes, and with them its API key. */
function describeError(error: unknown): DescribedError {
  if (!(error instanceof Error))
    return { type: typeof error, message: withoutControls(String(error)), stack: '' };
  const message = withoutControls(error.message);
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    message,
    stack: (error.stack ?? '').replaceAll(error.message || '\n', error.message ? message : '\n'),
  };
}

/** Escapes line ends and control characters as JSON does, so that a text cannot steer a terminal. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === '\t' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
