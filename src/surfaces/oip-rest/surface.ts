/**
 * The Open Inference Protocol, version 2, over REST (https://github.com/kserve/open-inference-protocol), as KServe and Triton
 * speak it, with Triton's extensions for binary tensors, model configurations, the model repository and statistics.
 */
import type { Surface } from '../../http/surface.js';
import { commonRequests } from './protocol.js';
import { configRoutes } from './routes/config.js';
import { healthRoutes } from './routes/health.js';
import { inferRoutes } from './routes/infer.js';
import { metadataRoutes } from './routes/metadata.js';
import { repositoryRoutes } from './routes/repository.js';
import { statisticsRoutes } from './routes/statistics.js';
import { errorAnswer } from './values.js';

export const oipRest: Surface = {
  name: 'oip-rest',
  // The router ignores the case of letters as well.
  owns: (path) => /^\/v2(?:\/|$)/i.test(path),
  routes: (services) => [
    ...inferRoutes(),
    // This comes before the metadata of a model, which has the same pattern.
    ...statisticsRoutes(services),
    ...metadataRoutes(services),
    ...configRoutes(services),
    ...healthRoutes(services),
    ...repositoryRoutes(services),
  ],
  errorAnswer,
  common: commonRequests,
};
