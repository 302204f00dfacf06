/**
 * What decoders are made of: work in steps, which claims memory before it takes it.
 */
export { inOneStep, Meter, type Steps, settled, toEnd } from './steps.js';

/**
 * Takes more bytes out of the budget, before memory is taken for them.
 *
 * @param unpacked the bytes are what the body unpacks to, which is bounded as a body is
 * @throws ServingError PAYLOAD_TOO_LARGE or UNAVAILABLE if there is no room
 */
export type Claim = (bytes: number, unpacked?: 'unpacked') => void;

/** For callers whose memory nobody bounds. */
export const claimNothing: Claim = () => {};
