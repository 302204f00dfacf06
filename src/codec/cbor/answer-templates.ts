/**
 * Keeps written answers as templates. The answers of one model often differ only in the values of their outputs. Such
 * an answer is a copy of an earlier one, with its own values in their places.
 */
import type { Dtype } from '../../tensors/dtypes.js';
import { type Tensor, viewTensor } from '../../tfjs/tensors.js';
import type { EncodedBody, InferAnswer } from '../infer-answer.js';

/**
 * The number of models that have templates, and the number of templates of each (one sample, a batch, some of the
 * outputs). The oldest template leaves first.
 */
const maxModels = 64;
const maxOfModel = 8;

/** Answers of more bytes are not kept. */
const maxBytes = 4096;

/** An output, and the position where its values begin. */
export interface AnswerSlot {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly start: number;
}

interface Template extends Omit<InferAnswer, 'outputs'> {
  readonly bytes: Buffer;
  /** The outputs, in order. */
  readonly slots: readonly AnswerSlot[];
}

export class CborAnswerTemplates {
  private readonly byModel = new Map<string, Template[]>();

  /** The bytes of the answer, if a template fits it. */
  fill(answer: InferAnswer): Uint8Array | undefined {
    for (const template of this.byModel.get(answer.model) ?? []) {
      const isOfServable = template.version === answer.version && template.generation === answer.generation;
      const filled = isOfServable ? fill(template, answer.outputs) : undefined;
      if (filled) return filled;
    }
    return undefined;
  }

  /** Keeps a written answer as a template. */
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
