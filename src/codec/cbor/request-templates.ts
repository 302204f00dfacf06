/**
 * Keeps read bodies as templates. The bodies of one client often differ only in the values of their typed arrays.
 *
 * A template keeps the bytes around the values. The next body that has the same bytes there says the same, and its
 * values are found by their position.
 */
import { Newest } from '../../flow/newest.js';
import type { InferBody } from '../infer-body.js';
import { type InputSlot, inputsAt } from '../slots.js';

/** A body with more bytes around its values is not kept, because comparing it would take as long as reading it. */
const maxHeadBytes = 512;

/** The most templates, each for bodies of another length. The oldest leaves first. */
const maxTemplates = 64;

interface Template extends Pick<InferBody, 'signature' | 'outputs'> {
  /** The bytes of a body, without its values. */
  readonly heads: Uint8Array;
  /** The inputs, in the order of the body. */
  readonly slots: readonly InputSlot[];
}

/** The templates of bodies that were read under the same limits. */
export class CborRequestTemplates {
  private readonly byLength = new Newest<number, Template>(maxTemplates);

  /** What a body says, if a template fits it. */
  match(body: Uint8Array): InferBody | undefined {
    const template = this.byLength.get(body.length);
    if (!template || !isLike(body, template)) return undefined;
    const { slots, signature, outputs } = template;
    return { inputs: inputsAt(slots, body), signature, outputs };
  }

  /** Keeps a body as a template, if the values of all its inputs are views on it. */
  keep(body: Uint8Array, request: InferBody): void {
    const template = templateOf(body, request);
    if (template) this.byLength.set(body.length, template);
  }
}

function isLike(body: Uint8Array, { heads, slots }: Template): boolean {
  let position = 0;
  let compared = 0;
  for (const { start, end } of slots) {
    while (position < start) if (body[position++] !== heads[compared++]) return false;
    position = end;
  }
  while (position < body.length) if (body[position++] !== heads[compared++]) return false;
  return true;
}

function templateOf(body: Uint8Array, { inputs, signature, outputs }: InferBody): Template | undefined {
  const slots: InputSlot[] = [];
  const heads: number[] = [];
  let position = 0;
  for (const [name, tensor] of inputs) {
    if (tensor.kind !== 'typed' || !(tensor.data instanceof Uint8Array)) return undefined;
    const { dtype, shape, data } = tensor;
    const start = data.byteOffset - body.byteOffset;
    const end = start + data.length;
    const isInPlace = data.buffer === body.buffer && start >= position && end <= body.length;
    if (!isInPlace || heads.length + start - position > maxHeadBytes) return undefined;
    heads.push(...body.subarray(position, start));
    slots.push({ name, dtype, shape, start, end });
    position = end;
  }
  if (heads.length + body.length - position > maxHeadBytes) return undefined;
  heads.push(...body.subarray(position));
  return { heads: Uint8Array.from(heads), slots, signature, outputs };
}
