/**
 * The log: to stdout, as lines for people or as JSON for programs. TensorFlow's own lines go to stderr.
 */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export const logFormats = ['text', 'json'] as const;

export interface LoggerOptions {
  readonly level: (typeof logLevels)[number];
  readonly format: (typeof logFormats)[number];
}

/** Both formats are written at once: a line that was logged is there, even if the process ends right after. */
export function createLogger({ level, format }: LoggerOptions): Logger {
  const options = { level, base: null };
  if (format === 'json') return pino(options, pino.destination({ dest: 1, sync: true }));
  const stream = pretty({ sync: true, destination: 1, translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return pino(options, stream);
}
