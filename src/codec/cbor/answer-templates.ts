/**
 * Answers that differ only in the values of their outputs, as those of one model do, are written once: the next one is a
 * copy of the last, with its own values in their places.
 */
import type { Dtype } from '../../tensors/dtypes.js';
import { type Tensor, viewTensor } from '../../tfjs/tensors.js';
import type { EncodedBody, InferAnswer } from '../infer-answer.js';

/** Of so many models templates are kept, and so many of each: one sample, a batch, some of the outputs. The oldest goes. */
const maxModels = 64;
const maxOfModel = 8;

/** Longer answers are not copied together. */
const maxBytes = 4096;

/** An output, and where its values begin. */
export interface AnswerSlot {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly start: number;
}

interface Template extends Omit<InferAnswer, 'outputs'> {
  readonly bytes: Buffer;
  /** In the order of the outputs. */
  readonly slots: readonly AnswerSlot[];
}

export class CborAnswerTemplates {
  private readonly byModel = new Map<string, Template[]>();

  /** The answer's bytes, if it is like one that was written. */
  fill(answer: InferAnswer): Uint8Array | undefined {
    for (const template of this.byModel.get(answer.model) ?? []) {
      const isOfServable = template.version === answer.version && template.generation === answer.generation;
      const filled = isOfServable ? fill(template, answer.outputs) : undefined;
      if (filled) return filled;
    }
    return undefined;
  }

  /** Remembers how an answer was written. */
  keep(
    { model, version, generation }: InferAnswer,
    { parts, byteLength }: EncodedBody,
    slots: readonly AnswerSlot[],
  ): void {
    if (byteLength > maxBytes) return;
    const templates = this.byModel.get(model) ?? [];
    templates.unshift({ model, version, generation, bytes: Buffer.concat(parts, byteLength), slots });
    if (templates.length > maxOfModel) templates.pop();
    this.byModel.delete(model);
    this.byModel.set(model, templates);
    const [oldest] = this.byModel.keys();
    if (this.byModel.size > maxModels && oldest !== undefined) this.byModel.delete(oldest);
  }
}

function fill({ bytes, slots }: Template, outputs: InferAnswer['outputs']): Uint8Array | undefined {
  if (outputs.size !== slots.length) return undefined;
  let filled: Uint8Array | undefined;
  let i = 0;
  for (const [name, tensor] of outputs) {
    const slot = slots[i++] as AnswerSlot;
    const data = name === slot.name ? dataIfLike(slot, tensor) : undefined;
    if (!data) return undefined;
    filled ??= Buffer.from(bytes);
    filled.set(data, slot.start);
  }
  return filled ?? Buffer.from(bytes);
}

function dataIfLike(slot: AnswerSlot, tensor: Tensor): Uint8Array | undefined {
  const { dtype, shape, data } = viewTensor(tensor);
  if (dtype !== slot.dtype || shape.length !== slot.shape.length || !(data instanceof Uint8Array))
    return undefined;
  for (let i = 0; i < shape.length; i++) if (shape[i] !== slot.shape[i]) return undefined;
  return data;
}
