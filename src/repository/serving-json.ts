/**
 * `serving.json`, what lasts in the folder itself and holds for every server that reads it: in the repository's folder
 * the default model, in a model's folder its version policy, labels and pin, in both how requests are batched. Names are
 * TensorFlow Serving's.
 */
import path from 'node:path';
import type { z } from 'zod';
import { messageOf } from '../errors.js';
import { readRegularFile } from './regular-file.js';

type Schemas = typeof import('./serving-schema.js');

export type RepositoryConfig = z.output<Schemas['repositorySchema']>;
export type ModelConfig = z.output<Schemas['modelSchema']>;
export type BatchingParameters = z.output<Schemas['batchingSchema']>;
export type VersionPolicy = ModelConfig['model_version_policy'];

/** What holds where there is no file. */
export const noModelConfig: ModelConfig = {
  model_version_policy: { latest: { num_versions: 1 } },
  version_labels: {},
};
const noRepositoryConfig: RepositoryConfig = {};

export const servingJson = 'serving.json';

/** Many times what the longest list of labels takes. */
const maxBytes = 2 ** 20;

/** What a file says, or why it cannot be used. */
export type ConfigFile<Config> = { readonly config: Config } | { readonly problem: string };

export function readRepositoryConfig(folder: string): Promise<ConfigFile<RepositoryConfig>> {
  return readConfig(folder, noRepositoryConfig, ({ repositorySchema }, value) =>
    repositorySchema.parse(value),
  );
}

export function readModelConfig(folder: string): Promise<ConfigFile<ModelConfig>> {
  return readConfig(folder, noModelConfig, ({ modelSchema }, value) => modelSchema.parse(value));
}

async function readConfig<Config>(
  folder: string,
  none: Config,
  parse: (schemas: Schemas, value: unknown) => Config,
): Promise<ConfigFile<Config>> {
  const file = path.join(folder, servingJson);
  let text: string;
  try {
    text = (await readRegularFile(file, maxBytes)).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { config: none } : problem(file, messageOf(error));
  }
  const schemas = await import('./serving-schema.js');
  try {
    return { config: parse(schemas, JSON.parse(text)) };
  } catch (error) {
    return problem(file, schemas.faultsOf(error) ?? messageOf(error));
  }
}

function problem(file: string, reason: string): { problem: string } {
  return { problem: `${file} cannot be used: ${reason}` };
}
