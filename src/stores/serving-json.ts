/**
 * What `serving.json` may say. It lies in the source itself, and holds for every server that reads it. For the
 * repository, it sets the default model. For a model, it sets the version policy, labels and the pin. For both, it sets
 * how requests are batched. The names are those of TensorFlow Serving.
 */
import type { z } from 'zod';

type Schemas = typeof import('./serving-schema.js');

/** The settings for all models, as they stand in a file. Every key may be left out. */
export type RepositoryConfigFile = z.input<Schemas['repositorySchema']>;
/** The settings of one model, as they stand in a file. Every key may be left out. */
export type ModelConfigFile = z.input<Schemas['modelSchema']>;
/** The complete settings, with defaults. */
export type RepositoryConfig = z.output<Schemas['repositorySchema']>;
export type ModelConfig = z.output<Schemas['modelSchema']>;
export type BatchingParameters = z.output<Schemas['batchingSchema']>;
export type VersionPolicy = ModelConfig['model_version_policy'];

/** The settings of a model without a file. */
export const noModelConfig: ModelConfig = {
  model_version_policy: { latest: { num_versions: 1 } },
  version_labels: {},
};
