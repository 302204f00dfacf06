/** Reads API keys from a file, which is read again when it changes, and from a variable of the environment. */
import { messageOf, ServingError } from '../../errors.js';
import { readAtStart, WatchedFiles } from '../../files/watched-files.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Milliseconds } from '../../time.js';
import { ApiKeys, type Grant } from './api-keys.js';
import { grantsOfList, listForm } from './key-entries.js';
import { grantsOfLines } from './key-lines.js';
import { RateMemory } from './rate-limit.js';

export interface KeySources {
  /** The value of `--api-key-file`, a file with one key on each line, or with a list in JSON or YAML. */
  readonly file: string | undefined;
  /** The keys of the environment, separated by commas. */
  readonly list: string | undefined;
}

/** How long before its end a key is told of. */
const notice: Milliseconds = 7 * 24 * 3600 * 1000;

/** The time between two looks at the ends of keys. */
const interval: Milliseconds = 5000;

export class ConfiguredKeys {
  /** The keys that are known now. */
  readonly keys: ApiKeys;
  private readonly rates: RateMemory;
  private readonly watched: WatchedFiles | undefined;
  private readonly timer: NodeJS.Timeout | undefined;
  /** What was said of ends. */
  private readonly said = new Set<string>();

  /**
   * @param rates is the memory in which the main thread counts rates; undefined on the main thread, which also tells of
   * keys that end
   * @throws ServingError if the file cannot be read, or if a source was given and holds no key: then every route would
   * be open to everybody
   */
  constructor(
    { file, list }: KeySources,
    private readonly logger: Logger,
    rates?: SharedArrayBuffer,
  ) {
    this.rates = new RateMemory(rates);
    if (file === undefined) {
      this.keys = together([ofEnvironment(list)]);
      return;
    }
    const contents = readAtStart('--api-key-file', file);
    const parse = (read: Buffer) => together([ofEnvironment(list), this.ofFile(file, read)]);
    this.keys = parse(contents);
    if (!rates) {
      this.tellEnds();
      this.timer = setInterval(() => this.tellEnds(), interval).unref();
    }
    this.watched = new WatchedFiles(
      {
        files: [file],
        changed: ([changed]) => {
          this.keys.become(parse(changed as Buffer));
          logger.info(`--api-key-file ${file} has changed, and its keys are in use`);
          if (!rates) this.tellEnds();
        },
        failed: (error) => logger.error(`the API keys that were in use stay: ${messageOf(error)}`),
      },
      [contents],
    );
  }

  /** The memory in which rates are counted, for other event loops. */
  get rateMemory(): SharedArrayBuffer {
    return this.rates.memory;
  }

  /** Reads the file at once. */
  async reload(): Promise<void> {
    await this.watched?.look();
  }

  close(): void {
    this.watched?.close();
    clearInterval(this.timer);
  }

  private ofFile(file: string, contents: Buffer): Grant[] {
    const text = contents.toString().replace(/^\ufeff/, '');
    const name = `--api-key-file ${file}`;
    const form = listForm(file, text);
    if (!form) return refuseNone(name, grantsOfLines(text.split('\n')));
    try {
      return refuseNone(name, grantsOfList(form, text, this.rates));
    } catch (error) {
      if (!(error instanceof ServingError) || error.code !== 'INVALID_ARGUMENT') throw error;
      throw new ServingError('INVALID_ARGUMENT', `${name}: ${error.message}`);
    }
  }

  /** Tells of each key that ends soon or has ended, once of each. */
  private tellEnds(): void {
    for (const { id, expires } of this.keys.all) {
      if (expires === undefined) continue;
      const left: Milliseconds = expires - Date.now();
      if (left > notice) continue;
      const what = left > 0 ? `expires at ${new Date(expires).toISOString()}` : 'has expired';
      const sentence = `the API key ${id} ${what}`;
      if (this.said.has(sentence)) continue;
      this.said.add(sentence);
      this.logger.warn(sentence);
    }
  }
}

function ofEnvironment(list: string | undefined): Grant[] {
  return list ? refuseNone('TFJS_SERVING_API_KEYS', grantsOfLines(list.split(','))) : [];
}

function together(sources: readonly Grant[][]): ApiKeys {
  return ApiKeys.of(sources.flat());
}

function refuseNone(name: string, grants: Grant[]): Grant[] {
  if (grants.length > 0) return grants;
  throw new ServingError('FAILED_PRECONDITION', `${name} holds no key: every route would be open`);
}
