/**
 * The protocols that a server speaks, in the order in which they are asked whose a path is. Our own comes last, as it owns all that no
 * other does.
 */
import type { Surface } from './http/surface.js';
import { oipRest } from './surfaces/oip-rest/surface.js';
import { own } from './surfaces/own/surface.js';

/** @param more that an application brings along */
export function surfacesWith(more: readonly Surface[]): readonly Surface[] {
  return [oipRest, ...more, own];
}
