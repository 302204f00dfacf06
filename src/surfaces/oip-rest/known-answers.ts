/**
 * Keeps a written answer as a template. The answers to one client often differ only in the values of their binary
 * outputs. The next answer is then a copy, with its own values in their places.
 */
import type { EncodedAnswer, EncodedBody, InferAnswer } from '../../codec/infer-answer.js';
import { copyWith, type OutputSlot } from '../../codec/slots.js';
import { viewTensor } from '../../tfjs/tensors.js';
import type { Wanted } from './request.js';

type Form = Pick<EncodedAnswer, 'mediaType' | 'headers'>;

interface KnownAnswer extends Pick<InferAnswer, 'model' | 'version'> {
  readonly bytes: Buffer;
  /** The outputs, in order. */
  readonly slots: readonly OutputSlot[];
  readonly form: Form;
}

/**
 * The last answer to each known request. It is dropped with the request. Requests whose JSON is known share the key.
 */
const known = new WeakMap<Wanted, KnownAnswer>();

/** The answer, if it is like the last one to such a request. */
export function knownAnswer(answer: InferAnswer, wanted: Wanted): EncodedAnswer | undefined {
  const last = known.get(wanted);
  const { model, version, outputs, composites } = answer;
  if (!last || last.version !== version || last.model !== model || composites) return undefined;
  const filled = copyWith(last.bytes, last.slots, outputs);
  if (!filled) return undefined;
  const { mediaType, headers } = last.form;
  return { parts: [filled], byteLength: filled.length, mediaType, headers };
}

/**
 * Keeps a short answer, if all its outputs are binary and of fixed width.
 *
 * @param jsonLength is where the values of the first output begin
 */
export function keepAnswer(
  { model, version, outputs, composites }: InferAnswer,
  wanted: Wanted,
  { parts: [bytes, ...more] }: EncodedBody,
  jsonLength: number,
  form: Form,
): void {
  const isAllBinary = wanted.isBinary && wanted.isBinaryOutput.size === 0;
  if (!isAllBinary || wanted.id !== undefined || composites || !bytes || more.length > 0) return;
  const slots: OutputSlot[] = [];
  let start = jsonLength;
  for (const [name, tensor] of outputs) {
    const { dtype, shape, data } = viewTensor(tensor);
    if (!(data instanceof Uint8Array)) return;
    slots.push({ name, dtype, shape, start });
    start += data.length;
  }
  known.set(wanted, { model, version, bytes: Buffer.from(bytes), slots, form });
}
