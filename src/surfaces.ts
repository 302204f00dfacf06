/**
 * The protocols that a server speaks, in the order in which they may claim a path. Our own comes last, because it owns
 * every path that no other does.
 */
import type { Surface } from './http/surface.js';
import { oipRest } from './surfaces/oip-rest/surface.js';
import { own } from './surfaces/own/surface.js';

/** @param more are those that an application brings */
export function surfacesWith(more: readonly Surface[]): readonly Surface[] {
  return [oipRest, ...more, own];
}
