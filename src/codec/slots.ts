/**
 * Keeps bodies that differ only in the values of their tensors, like those of one client or one model. What stands
 * around the values is kept, with a slot for the values of each tensor. So such a body is read or written once.
 */
import { type NamedTensors, type TensorView, viewTensor } from '../tfjs/tensors.js';
import type { TypedTensor, WireLimits, WireTensor } from './wire.js';

/** The values of an input, from `start` up to `end` in the body. */
export interface InputSlot extends Pick<TypedTensor, 'dtype' | 'shape'> {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** An output, and where its values begin. */
export interface OutputSlot extends Pick<TensorView, 'dtype' | 'shape'> {
  readonly name: string;
  readonly start: number;
}

/** The inputs of a body: views on it. */
export function inputsAt(slots: readonly InputSlot[], body: Uint8Array): Map<string, WireTensor> {
  const inputs = new Map<string, WireTensor>();
  for (const { name, dtype, shape, start, end } of slots)
    inputs.set(name, { kind: 'typed', dtype, shape, data: body.subarray(start, end) });
  return inputs;
}

/** A copy of an answer with these outputs in its slots; undefined if they are not like those that it was written for. */
export function copyWith(
  answer: Uint8Array,
  slots: readonly OutputSlot[],
  outputs: NamedTensors,
): Buffer | undefined {
  if (outputs.size !== slots.length) return undefined;
  let copy: Buffer | undefined;
  let i = 0;
  for (const [name, tensor] of outputs) {
    const slot = slots[i++] as OutputSlot;
    const view = viewTensor(tensor);
    if (name !== slot.name || !isLike(view, slot)) return undefined;
    copy ??= Buffer.from(answer);
    copy.set(view.data as Uint8Array, slot.start);
  }
  return copy ?? Buffer.from(answer);
}

function isLike({ dtype, shape, data }: TensorView, slot: OutputSlot): boolean {
  if (dtype !== slot.dtype || shape.length !== slot.shape.length || !(data instanceof Uint8Array))
    return false;
  for (let i = 0; i < shape.length; i++) if (shape[i] !== slot.shape[i]) return false;
  return true;
}

/** Makes one cache for each set of limits. A body that one server read may be refused by another. */
export function perLimits<Kept>(make: () => Kept): (limits: WireLimits) => Kept {
  const byLimits = new WeakMap<WireLimits, Kept>();
  return (limits) => {
    let kept = byLimits.get(limits);
    if (kept === undefined) {
      kept = make();
      byLimits.set(limits, kept);
    }
    return kept;
  };
}
