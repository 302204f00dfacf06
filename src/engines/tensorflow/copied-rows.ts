/**
 * Copies inputs that are outputs at the same time. TensorFlow does not fetch what it is fed. The copy is needed because
 * the body of a request may be released before its answer is sent.
 */
import { Turns } from '../../flow/turns.js';
import { copyStrings, PackedStrings, type Strings } from '../../tensors/strings.js';
import { joinRows, type Padding } from '../../tfjs/rows.js';
import { createTensor, type Tensor } from '../../tfjs/tensors.js';

/** The bytes between two looks at the clock. */
const pieceBytes = 2 ** 18;

/** Copies the rows of all members and the padding in one go. */
export function copyRows(tensors: readonly Tensor[], padding: Padding | undefined): Tensor {
  const { dtype, shape, data } = joinRows(tensors, padding);
  if (dtype === 'string') return createTensor(dtype, shape, copyStrings(data as Strings));
  // A Buffer's own slice() would not copy.
  const bytes = data instanceof Uint8Array ? new Uint8Array(data) : Buffer.concat([...data]);
  return createTensor(dtype, shape, bytes);
}

/**
 * Does the same as {@link copyRows}, in pieces that give the event loop back. The tensors must stay until it has
 * finished.
 */
export async function copyRowsInTurns(
  tensors: readonly Tensor[],
  padding: Padding | undefined,
): Promise<Tensor> {
  const { dtype, shape, data } = joinRows(tensors, padding);
  if (data instanceof Uint8Array) return createTensor(dtype, shape, await copyOf([data]));
  if (dtype !== 'string') return createTensor(dtype, shape, await copyOf(data as readonly Uint8Array[]));
  if (data instanceof PackedStrings)
    return createTensor(dtype, shape, PackedStrings.over(await copyOf([data.pack()])));
  const strings = [...data];
  const copy = await copyOf(strings);
  let end = 0;
  return createTensor(
    dtype,
    shape,
    strings.map(({ length }) => {
      end += length;
      return copy.subarray(end - length, end);
    }),
  );
}

async function copyOf(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  // Clearing the memory would take long in one go.
  const copy: Uint8Array = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0));
  const turns = new Turns();
  let at = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += pieceBytes) {
      const piece = part.subarray(from, from + pieceBytes);
      copy.set(piece, at);
      at += piece.length;
      const pausing = turns.pause();
      if (pausing) await pausing;
    }
  }
  return copy;
}
