/** Checks for the authors of engines, surfaces and sources, for any test runner. */
export type { Check } from './check.js';
export { type EngineExample, engineChecks } from './engine-checks.js';
export { type SourceExample, sourceChecks } from './source-checks.js';
export { type SurfaceExample, type SurfaceRequest, surfaceChecks } from './surface-checks.js';
