/** Reads the `serving.json` of the repository and of models. A scan does not parse an unchanged file again. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { messageOf } from '../../errors.js';
import { readRegularFile } from '../../files/regular-file.js';
import { Newest } from '../../flow/newest.js';
import { parseJsonText } from '../../handwritten/json-text.js';
import { type ModelConfig, noModelConfig, type RepositoryConfig } from '../serving-json.js';

type Schemas = typeof import('../serving-schema.js');

const noRepositoryConfig: RepositoryConfig = {};

export const servingJson = 'serving.json';

/** The most bytes. It is many times what the longest list of labels takes. */
const maxBytes = 2 ** 17;

/** The content of a file, or why it cannot be used. */
export type ConfigFile<Config> = { readonly config: Config } | { readonly problem: string };

/** The number of files that are remembered. Those of folders that are gone are forgotten with time. */
const mostKnown = 10_000;

/** The content of files when they were last read. */
class KnownFiles<Config> {
  private readonly files = new Newest<string, { readonly digest: string; readonly said: ConfigFile<Config> }>(
    mostKnown,
  );

  /** @returns what `parse` returned for the same bytes before, or returns now */
  read(file: string, bytes: Buffer, parse: (text: string) => ConfigFile<Config>): ConfigFile<Config> {
    const digest = createHash('sha256').update(bytes).digest('base64');
    const before = this.files.get(file);
    const said = before?.digest === digest ? before.said : parse(bytes.toString('utf8'));
    this.files.set(file, { digest, said });
    return said;
  }

  forget(file: string): void {
    this.files.delete(file);
  }
}

/** The process shares these, because the meaning of a file depends only on its bytes. */
const repositoryFiles = new KnownFiles<RepositoryConfig>();
const modelFiles = new KnownFiles<ModelConfig>();

export function readRepositoryConfig(folder: string): Promise<ConfigFile<RepositoryConfig>> {
  return readConfig(folder, repositoryFiles, noRepositoryConfig, ({ checked, repositorySchema }, value) =>
    checked(repositorySchema, value),
  );
}

export function readModelConfig(folder: string): Promise<ConfigFile<ModelConfig>> {
  return readConfig(folder, modelFiles, noModelConfig, ({ checked, modelSchema }, value) =>
    checked(modelSchema, value),
  );
}

async function readConfig<Config>(
  folder: string,
  known: KnownFiles<Config>,
  none: Config,
  parse: (schemas: Schemas, value: unknown) => Config,
): Promise<ConfigFile<Config>> {
  const file = path.join(folder, servingJson);
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(file, maxBytes);
  } catch (error) {
    known.forget(file);
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { config: none } : problem(file, messageOf(error));
  }
  const schemas = await import('../serving-schema.js');
  return known.read(file, bytes, (text) => {
    try {
      return { config: parse(schemas, parseJsonText(text)) };
    } catch (error) {
      return problem(file, messageOf(error));
    }
  });
}

function problem(file: string, reason: string): { problem: string } {
  return { problem: `${file} cannot be used: ${reason}` };
}
