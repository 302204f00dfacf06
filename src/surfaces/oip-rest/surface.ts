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
  // As the router, which takes paths in any case of their letters.
  owns: (path) => /^\/v2(?:\/|$)/i.test(path),
  routes: (services) => [
    ...inferRoutes(),
    // Before the metadata of a model, whose path it would be.
    ...statisticsRoutes(services),
    ...metadataRoutes(services),
    ...configRoutes(services),
    ...healthRoutes(services),
    ...repositoryRoutes(services),
  ],
  errorAnswer,
  common: commonRequests,
};
