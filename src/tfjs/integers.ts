/**
 * Reads indices and row splits as numbers. A request may have millions, and a bigint for each takes ten times as long.
 */
import { invalidArgument } from '../errors.js';
import type { TensorView } from './tensors.js';

/**
 * Whole numbers of 32 or 64 bits, little-endian at any alignment. A typed array would need a copy. A number beyond 2^53
 * is rounded.
 */
export class Integers {
  readonly length: number;

  private constructor(
    private readonly view: DataView,
    private readonly bytesEach: 4 | 8,
  ) {
    this.length = view.byteLength / bytesEach;
  }

  /** @throws ServingError for a dtype other than int32 and int64, the only ones that TensorFlow uses for indices */
  static of({ dtype, data }: Pick<TensorView, 'dtype' | 'data'>): Integers {
    if ((dtype !== 'int32' && dtype !== 'int64') || !(data instanceof Uint8Array))
      throw invalidArgument(`row splits and indices are int64 or int32, not ${dtype}`);
    const { buffer, byteOffset, byteLength } = data;
    return new Integers(new DataView(buffer, byteOffset, byteLength), dtype === 'int64' ? 8 : 4);
  }

  /** @param index is less than the length */
  at(index: number): number {
    const { view } = this;
    if (this.bytesEach === 4) return view.getInt32(4 * index, true);
    return view.getInt32(8 * index + 4, true) * 2 ** 32 + view.getUint32(8 * index, true);
  }
}
