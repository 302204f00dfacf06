/**
 * The server as a library.
 */
export { parseSettings } from './cli/parse.js';
export type { Settings } from './cli/settings.js';
export { type ErrorCode, ServingError } from './errors.js';
export { type Server, startServer } from './server.js';
export { createLogger, type Logger } from './telemetry/logger.js';
