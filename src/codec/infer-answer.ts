/**
 * What an inference request is answered with, whatever the encoding.
 */
import type { NamedTensors } from '../runtime/tensors.js';

export interface InferAnswer {
  readonly model: string;
  readonly version: number;
  readonly generation: number;
  readonly outputs: NamedTensors;
}

/** An encoded body: parts that are sent one after another, so that large outputs are not copied together. */
export interface EncodedBody {
  readonly parts: readonly Uint8Array[];
  /** Of all parts together. */
  readonly byteLength: number;
}

export function encodedBody(parts: readonly Uint8Array[]): EncodedBody {
  return { parts, byteLength: parts.reduce((sum, part) => sum + part.length, 0) };
}
