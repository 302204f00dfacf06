/**
 * Arrays whose first index changes fastest (RFC 8746, section 3.1, tag 1040) into row-major order.
 */
import { elementCount } from '../runtime/dtypes.js';

/** Elements in row-major order. */
export function toRowMajor<Element>(shape: readonly number[], elements: readonly Element[]): Element[] {
  return Array.from(columnMajorPlaces(shape), (place) => elements[place] as Element);
}

/** The same for elements of `size` bytes. */
export function bytesToRowMajor(shape: readonly number[], bytes: Uint8Array, size: number): Uint8Array {
  const ordered = new Uint8Array(bytes.length);
  let at = 0;
  for (const place of columnMajorPlaces(shape)) {
    const from = place * size;
    for (let i = 0; i < size; i++) ordered[at + i] = bytes[from + i] as number;
    at += size;
  }
  return ordered;
}

/** For each element in row-major order, its place in column-major order. */
function* columnMajorPlaces(shape: readonly number[]): Generator<number> {
  const count = elementCount(shape);
  // Dims of 1 change nothing; a sender may pile up hundreds of them, to be looked at for every element.
  const dims = shape.filter((dim) => dim !== 1);
  const strides = dims.map((_, d) => elementCount(dims.slice(0, d)));
  const index = new Array<number>(dims.length).fill(0);
  let place = 0;
  for (let i = 0; i < count; i++) {
    yield place;
    for (let d = dims.length - 1; d >= 0; d--) {
      const [dim, stride] = [dims[d] as number, strides[d] as number];
      place += stride;
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < dim) break;
      place -= stride * dim;
      index[d] = 0;
    }
  }
}
