/**
 * What `serving.json` may say. It lasts in the source itself and holds for every server that reads it: for the repository
 * the default model, for a model its version policy, labels and pin, for both how requests are batched. Names are
 * TensorFlow Serving's.
 */
import type { z } from 'zod';

type Schemas = typeof import('./serving-schema.js');

/** The settings for all models, as they stand in a file. Every key may be left out. */
export type RepositoryConfigFile = z.input<Schemas['repositorySchema']>;
/** The settings of one model, as they stand in a file. Every key may be left out. */
export type ModelConfigFile = z.input<Schemas['modelSchema']>;
/** In full, with defaults. */
export type RepositoryConfig = z.output<Schemas['repositorySchema']>;
export type ModelConfig = z.output<Schemas['modelSchema']>;
export type BatchingParameters = z.output<Schemas['batchingSchema']>;
export type VersionPolicy = ModelConfig['model_version_policy'];

/** What holds for a model where there is no file. */
export const noModelConfig: ModelConfig = {
  model_version_policy: { latest: { num_versions: 1 } },
  version_labels: {},
};
