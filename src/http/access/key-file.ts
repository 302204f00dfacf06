/** Reads API keys from a file, which is read again when it changes, and from a variable of the environment. */
import { messageOf, ServingError } from '../../errors.js';
import { readAtStart, WatchedFiles } from '../../files/watched-files.js';
import type { Logger } from '../../telemetry/logger.js';
import { ApiKeys } from './api-keys.js';

export interface KeySources {
  /** The value of `--api-key-file`, with one key on each line. */
  readonly file: string | undefined;
  /** The keys of the environment, separated by commas. */
  readonly list: string | undefined;
}

export class ConfiguredKeys {
  /** The keys that are known now. */
  readonly keys: ApiKeys;
  private readonly watched: WatchedFiles | undefined;

  /**
   * @throws ServingError if the file cannot be read, or if a source was given and holds no key: then every route would
   * be open to everybody
   */
  constructor({ file, list }: KeySources, logger: Logger) {
    if (file === undefined) {
      this.keys = parse([listed(list)]);
      return;
    }
    const parseBoth = (contents: Buffer) =>
      parse([listed(list), [`--api-key-file ${file}`, contents.toString().split('\n')]]);
    const contents = readAtStart('--api-key-file', file);
    this.keys = parseBoth(contents);
    this.watched = new WatchedFiles(
      {
        files: [file],
        changed: ([changed]) => {
          this.keys.become(parseBoth(changed as Buffer));
          logger.info(`--api-key-file ${file} has changed, and its keys are in use`);
        },
        failed: (error) => logger.error(`the API keys that were in use stay: ${messageOf(error)}`),
      },
      [contents],
    );
  }

  /** Reads the file at once. */
  async reload(): Promise<void> {
    await this.watched?.look();
  }

  close(): void {
    this.watched?.close();
  }
}

type NamedLines = readonly [source: string, lines: readonly string[]];

function listed(list: string | undefined): NamedLines | undefined {
  return list ? ['TFJS_SERVING_API_KEYS', list.split(',')] : undefined;
}

function parse(sources: readonly (NamedLines | undefined)[]): ApiKeys {
  const given = sources.filter((source) => source !== undefined);
  for (const [name, lines] of given) {
    if (!ApiKeys.parse(lines).configured)
      throw new ServingError('FAILED_PRECONDITION', `${name} holds no key: every route would be open`);
  }
  return ApiKeys.parse(given.flatMap(([, lines]) => lines));
}
