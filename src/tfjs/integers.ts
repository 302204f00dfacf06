/**
 * Indices and row splits as numbers: millions are looked at in one go, for which a bigint each takes ten times too long.
 */
import { invalidArgument } from '../errors.js';
import { viewOf } from '../tensors/values.js';
import type { TensorView } from './tensors.js';

/** Whole numbers of 32 or 64 bits. Beyond 2^53 they are rounded. */
export class Integers {
  readonly length: number;

  private constructor(
    private readonly words: Int32Array,
    /** Words of each, the lower one first. */
    private readonly wordsEach: 1 | 2,
  ) {
    this.length = words.length / wordsEach;
  }

  /** @throws ServingError for another dtype than int32 and int64: TensorFlow has indices of these two only */
  static of({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Integers {
    if ((dtype !== 'int32' && dtype !== 'int64') || !(data instanceof Uint8Array))
      throw invalidArgument(`row splits and indices are int64 or int32, not ${dtype}`);
    const { buffer, byteOffset, byteLength } = viewOf(dtype, data);
    return new Integers(new Int32Array(buffer, byteOffset, byteLength / 4), dtype === 'int64' ? 2 : 1);
  }

  /** @param index below the length */
  at(index: number): number {
    const { words } = this;
    if (this.wordsEach === 1) return words[index] as number;
    return (words[2 * index + 1] as number) * 2 ** 32 + ((words[2 * index] as number) >>> 0);
  }
}
