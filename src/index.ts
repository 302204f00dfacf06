/**
 * The server as a library. Nothing happens at import: TensorFlow is loaded by {@link createServer}.
 */

export type { Settings } from './config/settings.js';
export { type ErrorCode, ServingError } from './errors.js';
export type { Prediction, PredictOptions } from './inference/in-process.js';
export type { PredictInput } from './inference/in-process-inputs.js';
export { createServer, type Server, type ServerOptions } from './server.js';
export { createLogger, type Logger } from './telemetry/logger.js';
export type { Dtype } from './tensors/dtypes.js';
export { type TensorView, viewTensor } from './tfjs/tensors.js';
