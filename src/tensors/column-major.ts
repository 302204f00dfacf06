/**
 * Arrays whose first index changes fastest (RFC 8746, section 3.1, tag 1040) into row-major order.
 */

import type { Claim, Steps } from '../flow/steps.js';
import { elementCount } from './dtypes.js';
import { valueBytes } from './limits.js';
import { itemAt, type List, LongList, likeList, setItem } from './long-list.js';

/** Elements in row-major order. */
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

/** The same for a list of any length, which is claimed again. */
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

/** The same for elements of `size` bytes: 1, 2, 4, 8 or 16. Memory for as many bytes again must have been claimed. */
export function* bytesToRowMajor(
  shape: readonly number[],
  bytes: Uint8Array,
  size: number,
): Steps<Uint8Array> {
  const ordered = new Uint8Array(bytes.length);
  // Values of a body lie at any address, where typed arrays cannot.
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

/** Squares of so many elements a side are moved together: their rows and columns stay in the processor's cache. */
const block = 32;

/**
 * The axes in between are walked one index at a time. The first and the last, in which one of both orders is contiguous,
 * are walked in squares.
 */
function* reorder(shape: readonly number[], move: Move): Steps<void> {
  // Dims of 1 change nothing; a sender may pile up hundreds of them.
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
