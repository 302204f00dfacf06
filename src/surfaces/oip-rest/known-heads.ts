/**
 * JSON before binary tensors that was read before: one client sends the same with every request.
 */
import type { TypedTensor, WireLimits, WireTensor } from '../../codec/wire.js';
import { OipRequest } from './request.js';

/** Longer ones are not kept: to compare them would take as long as to read them. */
const maxHeadBytes = 1024;

/** So many are kept, each of another length; the oldest goes. */
const maxHeads = 64;

/** The values of an input, from `start` up to `end` in the body. */
interface Slot extends Pick<TypedTensor, 'dtype' | 'shape'> {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

interface KnownHead extends Pick<OipRequest, 'signature' | 'outputs' | 'wanted'> {
  readonly json: Uint8Array;
  readonly slots: readonly Slot[];
  /** Of the whole body. */
  readonly length: number;
}

/** What was read under the same limits. */
class KnownHeads {
  private readonly byLength = new Map<number, KnownHead>();

  /** What a body says, if its JSON is known. */
  match(body: Uint8Array, jsonLength: number): OipRequest | undefined {
    const known = this.byLength.get(jsonLength);
    if (!known || known.length !== body.length) return undefined;
    if (Buffer.compare(known.json, body.subarray(0, jsonLength)) !== 0) return undefined;
    const inputs = new Map<string, WireTensor>();
    for (const { name, dtype, shape, start, end } of known.slots)
      inputs.set(name, { kind: 'typed', dtype, shape, data: body.subarray(start, end) });
    return new OipRequest(inputs, known.signature, known.outputs, known.wanted);
  }

  /** Remembers what a body says, if all its inputs are binary and of fixed width. An id is as a rule another each time. */
  keep(body: Uint8Array, jsonLength: number, { inputs, signature, outputs, wanted }: OipRequest): void {
    if (jsonLength > maxHeadBytes || wanted.id !== undefined || jsonLength === body.length) return;
    const slots: Slot[] = [];
    let at = jsonLength;
    for (const [name, tensor] of inputs) {
      const data = tensor.kind === 'typed' ? tensor.data : undefined;
      if (tensor.kind !== 'typed' || !(data instanceof Uint8Array)) return;
      // Values that came in JSON are elsewhere.
      if (data.buffer !== body.buffer || data.byteOffset !== body.byteOffset + at) return;
      const { dtype, shape } = tensor;
      slots.push({ name, dtype, shape, start: at, end: at + data.length });
      at += data.length;
    }
    const [oldest] = this.byLength.keys();
    if (this.byLength.size >= maxHeads && oldest !== undefined) this.byLength.delete(oldest);
    // A copy: the body's memory is used again.
    const json = new Uint8Array(body.subarray(0, jsonLength));
    this.byLength.set(jsonLength, { json, slots, signature, outputs, wanted, length: body.length });
  }
}

const headsByLimits = new WeakMap<WireLimits, KnownHeads>();

export function knownHeadsUnder(limits: WireLimits): KnownHeads {
  let heads = headsByLimits.get(limits);
  if (!heads) {
    heads = new KnownHeads();
    headsByLimits.set(limits, heads);
  }
  return heads;
}
