/**
 * Keeps written answers as templates. The answers of one model often differ only in the values of their outputs. Such
 * an answer is a copy of an earlier one, with its own values in their places.
 */
import { Newest } from '../../flow/newest.js';
import type { EncodedBody, InferAnswer } from '../infer-answer.js';
import { copyWith, type OutputSlot } from '../slots.js';

/**
 * The number of models that have templates, and the number of templates of each (one sample, a batch, some of the
 * outputs). The oldest template leaves first.
 */
const maxModels = 64;
const maxOfModel = 8;

/** Answers of more bytes are not kept. */
const maxBytes = 4096;

interface Template extends Omit<InferAnswer, 'outputs'> {
  readonly bytes: Buffer;
  /** The outputs, in order. */
  readonly slots: readonly OutputSlot[];
}

export class CborAnswerTemplates {
  private readonly byModel = new Newest<string, Template[]>(maxModels);

  /** The bytes of the answer, if a template fits it. */
  fill(answer: InferAnswer): Uint8Array | undefined {
    for (const template of this.byModel.get(answer.model) ?? []) {
      const isOfServable = template.version === answer.version && template.generation === answer.generation;
      const filled = isOfServable ? copyWith(template.bytes, template.slots, answer.outputs) : undefined;
      if (filled) return filled;
    }
    return undefined;
  }

  /** Keeps a written answer as a template. */
  keep(
    { model, version, generation }: InferAnswer,
    { parts, byteLength }: EncodedBody,
    slots: readonly OutputSlot[],
  ): void {
    if (byteLength > maxBytes) return;
    const templates = this.byModel.get(model) ?? [];
    templates.unshift({ model, version, generation, bytes: Buffer.concat(parts, byteLength), slots });
    if (templates.length > maxOfModel) templates.pop();
    this.byModel.set(model, templates);
  }
}
