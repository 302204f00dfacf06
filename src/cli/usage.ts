/**
 * What the subcommands have in common: reading their arguments, and telling a wrong command line from a failure.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '../errors.js';
import { didYouMean, unknownFlagIn } from '../nearest.js';

/** One subcommand. */
export interface Command {
  /** What `--help` prints. */
  help(): string;
  /** @param args what follows the command's name */
  run(args: readonly string[]): Promise<void>;
}

/** A command line that cannot be right: the program ends with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Reads flags and positional arguments.
 *
 * @param command names the command in errors
 * @throws UsageError for a flag that there is none of, or one without its value
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
