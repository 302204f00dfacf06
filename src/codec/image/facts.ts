/**
 * What the headers of image files say.
 */

export interface ImageFacts {
  /** Of all frames together: as many as a decoder will make room for. */
  readonly pixels: number;
  /** Bytes that a decoder takes besides the pixels. */
  readonly workspace: number;
  /** How often a decoder goes over the pixels. */
  readonly passes: number;
  /** Its opacity is no such thing, whatever TensorFlow's decoder gives for it. */
  readonly isOpaque?: boolean;
  /** Why there is no colour with opacity to be had of it. */
  readonly withoutOpacity?: string;
  /** The decoder makes grey of it as its specification has it; of others it makes colour, or a grey of its own. */
  readonly givesGrey?: boolean;
  /** What to decode, where it is not the file as it came. */
  readonly decoded?: Uint8Array;
}

/** Of a file that is decoded in one go. */
export function plainFacts(pixels: number): ImageFacts {
  return { pixels, workspace: 0, passes: 1 };
}
