/**
 * The server as a library. Nothing happens at import: TensorFlow is loaded by {@link createServer}.
 */

export type { Prediction, PredictOptions } from './calls/in-process.js';
export type { PredictInput } from './calls/inputs.js';
export type { Settings } from './cli/settings.js';
export { type ErrorCode, ServingError } from './errors.js';
export type { Dtype } from './runtime/dtypes.js';
export { type TensorView, viewTensor } from './runtime/tensors.js';
export { createServer, type Server, type ServerOptions } from './server.js';
export { createLogger, type Logger } from './telemetry/logger.js';
