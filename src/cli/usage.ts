/** What the subcommands have in common: reading arguments, and telling a wrong command line from a failure. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '../errors.js';
import { didYouMean, unknownFlagIn } from '../handwritten/nearest.js';

/** One subcommand. */
export interface Command {
  /** The text of `--help`. */
  help(): string;
  /** @param args are those after the name of the command */
  run(args: readonly string[]): Promise<void>;
}

/** A wrong command line. The program ends with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Reads flags and positional arguments.
 *
 * @param command names the command in errors
 * @throws UsageError for an unknown flag, or one without its value
 */
export function parseArguments<Options extends NonNullable<ParseArgsConfig['options']>>(
  command: string,
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; strict: true; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    const flag = unknownFlagIn(error);
    const known = Object.keys(options).map((name) => `--${name}`);
    if (flag !== undefined)
      throw new UsageError(
        `there is no flag \`${flag}\`${didYouMean(flag, known)} (\`tfjs-serving help ${command}\` says what there is)`,
      );
    const [reason] = messageOf(error).split('. To specify');
    throw new UsageError(`${reason} (\`tfjs-serving help ${command}\` says what there is)`);
  }
}
