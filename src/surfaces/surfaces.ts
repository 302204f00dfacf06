/**
 * The protocols that a server speaks, in the order in which they may claim a path. Our own comes last, because it owns
 * every path that no other does.
 */
import type { InferRoute, Surface } from '../http/surface.js';
import { inferRoutes as oipInferRoutes } from './oip-rest/routes/infer.js';
import { oipRest } from './oip-rest/surface.js';
import { inferRoutes as ownInferRoutes } from './own/routes/infer.js';
import { own } from './own/surface.js';

/** @param more are those that an application brings */
export function surfacesWith(more: readonly Surface[]): readonly Surface[] {
  return [oipRest, ...more, own];
}

/** The routes of our own protocols that ask for predictions. They need nothing of the main thread. */
export function inferRoutes(): readonly InferRoute[] {
  return [...oipInferRoutes(), ...ownInferRoutes()];
}
