/**
 * Our own protocol: tensors in CBOR, JSON, NumPy files, forms and images; models and their versions; health, metrics, profiles
 * and documents.
 */
import type { Surface } from '../../http/surface.js';
import { errorAnswer } from './answers.js';
import { commonRequests } from './protocol.js';
import { docsRoutes } from './routes/docs.js';
import { healthRoutes } from './routes/health.js';
import { inferRoutes } from './routes/infer.js';
import { metricsRoutes } from './routes/metrics.js';
import { modelRoutes } from './routes/models.js';
import { openApiRoutes } from './routes/openapi.js';
import { profileRoutes } from './routes/profile.js';
import { startRoutes } from './routes/start.js';
import { updateModelRoutes } from './routes/update-model.js';

export const own: Surface = {
  name: 'own',
  owns: () => true,
  routes: (services) => [
    ...inferRoutes(),
    ...updateModelRoutes(services),
    ...healthRoutes(services),
    ...modelRoutes(services),
    ...metricsRoutes(services),
    ...profileRoutes(services),
    ...openApiRoutes(services),
    ...docsRoutes(),
    ...startRoutes(),
  ],
  errorAnswer,
  common: commonRequests,
};
