/**
 * The protocols that the server speaks, in the order in which they are asked whose a path is.
 */
import type { Surface } from './http/surface.js';
import { oipRest } from './surfaces/oip-rest/surface.js';
import { own } from './surfaces/own/surface.js';

export const surfaces: readonly Surface[] = [oipRest, own];
