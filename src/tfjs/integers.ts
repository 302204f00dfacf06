/**
 * Indices and row splits as numbers: millions are looked at in one go, for which a bigint each takes ten times too long.
 */
import { invalidArgument } from '../errors.js';
import type { TensorView } from './tensors.js';

/** Whole numbers of 32 or 64 bits, little-endian at any alignment: a typed array would copy the most of them. Beyond 2^53 they are rounded. */
export class Integers {
  readonly length: number;

  private constructor(
    private readonly view: DataView,
    private readonly bytesEach: 4 | 8,
  ) {
    this.length = view.byteLength / bytesEach;
  }

  /** @throws ServingError for another dtype than int32 and int64: TensorFlow has indices of these two only */
  static of({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Integers {
    if ((dtype !== 'int32' && dtype !== 'int64') || !(data instanceof Uint8Array))
      throw invalidArgument(`row splits and indices are int64 or int32, not ${dtype}`);
    const { buffer, byteOffset, byteLength } = data;
    return new Integers(new DataView(buffer, byteOffset, byteLength), dtype === 'int64' ? 8 : 4);
  }

  /** @param index below the length */
  at(index: number): number {
    const { view } = this;
    if (this.bytesEach === 4) return view.getInt32(4 * index, true);
    return view.getInt32(8 * index + 4, true) * 2 ** 32 + view.getUint32(8 * index, true);
  }
}
