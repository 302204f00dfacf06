/**
 * Turns arrays in column-major order (RFC 8746, section 3.1, tag 1040: the first index changes fastest) into row-major
 * order.
 */

import type { Claim, Steps } from '../flow/steps.js';
import { elementCount } from './dtypes.js';
import { valueBytes } from './limits.js';
import { itemAt, type List, LongList, likeList, setItem } from './long-list.js';

/** The elements in row-major order. */
export function* toRowMajor<Element>(
  shape: readonly number[],
  elements: readonly Element[],
): Steps<Element[]> {
  const ordered: Element[] = [];
  ordered.length = elements.length;
  yield* reorder(shape, (to, from) => {
    ordered[to] = elements[from] as Element;
  });
  return ordered;
}

/** Does the same for a list of any length. The memory for the new list is claimed. */
export function* listToRowMajor<Element>(
  shape: readonly number[],
  list: List<Element>,
  claim: Claim,
): Steps<List<Element>> {
  if (!(list instanceof LongList)) return yield* toRowMajor(shape, list);
  claim(list.length * valueBytes.number);
  const ordered = likeList(list);
  yield* reorder(shape, (to, from) => setItem(ordered, to, itemAt(list, from) as Element));
  return ordered;
}

/** Does the same for elements of `size` bytes: 1, 2, 4, 8 or 16. The caller must have claimed memory for the copy. */
export function* bytesToRowMajor(
  shape: readonly number[],
  bytes: Uint8Array,
  size: number,
): Steps<Uint8Array> {
  const ordered = new Uint8Array(bytes.length);
  // The values may lie at any address in the body, and a typed array needs an aligned one.
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const to = new DataView(ordered.buffer);
  yield* reorder(shape, moverOf(size, from, to, ordered, bytes));
  return ordered;
}

type Move = (to: number, from: number) => void;

function moverOf(size: number, from: DataView, to: DataView, ordered: Uint8Array, bytes: Uint8Array): Move {
  switch (size) {
    case 1:
      return (at, place) => {
        ordered[at] = bytes[place] as number;
      };
    case 2:
      return (at, place) => to.setUint16(2 * at, from.getUint16(2 * place));
    case 4:
      return (at, place) => to.setUint32(4 * at, from.getUint32(4 * place));
    default:
      return (at, place) => {
        for (let i = 0; i < size; i += 4) to.setUint32(size * at + i, from.getUint32(size * place + i));
      };
  }
}

/** The side of the square of elements that is moved at once. Its rows and columns fit into the processor's cache. */
const block = 32;

/**
 * Moves every element to its new place. The first and the last axis are walked in squares, because one of the two
 * orders is contiguous in each. The axes between them are walked one index at a time.
 */
function* reorder(shape: readonly number[], move: Move): Steps<void> {
  // A dim of 1 changes nothing, and a sender may write hundreds of them.
  const dims = shape.filter((dim) => dim !== 1);
  if (elementCount(dims) === 0) return;
  const first = dims[0] ?? 1;
  const last = dims.length > 1 ? (dims.at(-1) as number) : 1;
  const middle = dims.slice(1, -1);
  const index = middle.map(() => 0);
  const rowStride = elementCount(middle) * last;
  const columnStride = first * elementCount(middle);
  let [to, from, moved] = [0, 0, 0];
  for (;;) {
    for (let row = 0; row < first; row += block) {
      const rowEnd = Math.min(row + block, first);
      for (let column = 0; column < last; column += block) {
        const columnEnd = Math.min(column + block, last);
        for (let i = row; i < rowEnd; i++)
          for (let j = column; j < columnEnd; j++) move(to + i * rowStride + j, from + j * columnStride + i);
        moved += (rowEnd - row) * (columnEnd - column);
        if (moved > 2 ** 15) {
          moved = 0;
          yield;
        }
      }
    }
    let axis = middle.length - 1;
    let [toStride, fromStride] = [last, columnStride];
    for (; axis >= 0; axis--) {
      const dim = middle[axis] as number;
      fromStride /= dim;
      index[axis] = (index[axis] as number) + 1;
      to += toStride;
      from += fromStride;
      if ((index[axis] as number) < dim) break;
      index[axis] = 0;
      to -= toStride * dim;
      from -= fromStride * dim;
      toStride *= dim;
    }
    if (axis < 0) return;
  }
}
