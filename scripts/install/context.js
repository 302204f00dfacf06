/**
 * What every step is given: the machine, where things are, what is pinned, what is done, and how to tell and to stop.
 *
 * @typedef {object} Context
 * @property {import('./host.js').Host} host
 * @property {import('./layout.js').Layout} layout
 * @property {readonly import('./pins.js').LibtensorflowPin[]} pins
 * @property {import('./stamps.js').Stamps} stamps
 * @property {import('./progress.js').Progress} progress
 * @property {AbortSignal} signal  aborts with an InstallFailure when the user interrupts
 */

export {};
