/**
 * `serving.json`, what lasts in the folder itself and holds for every server that reads it: in the repository's folder
 * the default model, in a model's folder its version policy, labels and pin. Names are TensorFlow Serving's.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.js';

const version = z.int().positive();

const repositorySchema = z.strictObject({
  /** The model that `/infer` means. */
  default_model: z.string().min(1).optional(),
});

const modelSchema = z.strictObject({
  /** Which versions are loaded; the newest one if nothing is said. */
  model_version_policy: z
    .union([
      z.strictObject({ latest: z.strictObject({ num_versions: version.default(1) }) }),
      z.strictObject({ all: z.strictObject({}) }),
      z.strictObject({ specific: z.strictObject({ versions: z.array(version).min(1) }) }),
    ])
    .default({ latest: { num_versions: 1 } }),
  /** Movable names for versions; a version that has one is held ready. */
  version_labels: z.record(z.string().regex(/^[A-Za-z0-9_.-]+$/), version).default({}),
  /** The version that serves, whatever else is there. */
  pin: version.optional(),
});

export type RepositoryConfig = z.output<typeof repositorySchema>;
export type ModelConfig = z.output<typeof modelSchema>;
export type VersionPolicy = ModelConfig['model_version_policy'];

/** What holds where there is no file. */
export const noModelConfig: ModelConfig = modelSchema.parse({});

export const servingJson = 'serving.json';

/** What a file says, or why it cannot be used. */
export type ConfigFile<Config> = { readonly config: Config } | { readonly problem: string };

export function readRepositoryConfig(folder: string): Promise<ConfigFile<RepositoryConfig>> {
  return readConfig(folder, repositorySchema);
}

export function readModelConfig(folder: string): Promise<ConfigFile<ModelConfig>> {
  return readConfig(folder, modelSchema);
}

async function readConfig<Config>(folder: string, schema: z.ZodType<Config>): Promise<ConfigFile<Config>> {
  const file = path.join(folder, servingJson);
  try {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}';
      throw error;
    });
    return { config: schema.parse(JSON.parse(text)) };
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    return { problem: `${file} cannot be used: ${reason}` };
  }
}
