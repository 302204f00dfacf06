/** What the header of an image file says. */

export interface ImageFacts {
  /** The pixels of all frames that a decoder makes room for. */
  readonly pixels: number;
  /** The bytes that a decoder takes besides the pixels. */
  readonly workspace: number;
  /** How often a decoder goes over the pixels. */
  readonly passes: number;
  /** True if every pixel is opaque, whatever TensorFlow's decoder returns. */
  readonly isOpaque?: boolean;
  /** Why this image cannot be decoded to colour with opacity. */
  readonly withoutOpacity?: string;
  /**
   * True if the decoder makes grey as the format's specification says. Otherwise it makes colour, or grey in its own
   * way.
   */
  readonly givesGrey?: boolean;
  /** The bytes to decode, if they are not the file as it came. */
  readonly decoded?: Uint8Array;
}

/** The facts of a file that is decoded in one pass. */
export function plainFacts(pixels: number): ImageFacts {
  return { pixels, workspace: 0, passes: 1 };
}
