/** Remembers the JSON before binary tensors, because a client sends the same with every request. */
import { type InputSlot, inputsAt, perLimits } from '../../codec/slots.js';
import { Newest } from '../../flow/newest.js';
import { OipRequest } from './request.js';

/** JSON of more bytes is not kept, because comparing it would take as long as reading it. */
const maxHeadBytes = 1024;

/** The most heads, each of another length. */
const maxHeads = 64;

interface KnownHead extends Pick<OipRequest, 'signature' | 'outputs' | 'wanted'> {
  readonly json: Uint8Array;
  readonly slots: readonly InputSlot[];
  /** The length of the whole body. */
  readonly length: number;
}

/** The heads that were read under the same limits. */
class KnownHeads {
  private readonly byLength = new Newest<number, KnownHead>(maxHeads);

  /** What a body says, if its JSON is known. */
  match(body: Uint8Array, jsonLength: number): OipRequest | undefined {
    const known = this.byLength.get(jsonLength);
    if (!known || known.length !== body.length) return undefined;
    if (Buffer.compare(known.json, body.subarray(0, jsonLength)) !== 0) return undefined;
    return new OipRequest(inputsAt(known.slots, body), known.signature, known.outputs, known.wanted);
  }

  /**
   * Keeps what a body says, if all its inputs are binary and of fixed width. A request with an id is not kept, since
   * the next one has another.
   */
  keep(body: Uint8Array, jsonLength: number, { inputs, signature, outputs, wanted }: OipRequest): void {
    if (jsonLength > maxHeadBytes || wanted.id !== undefined || jsonLength === body.length) return;
    const slots: InputSlot[] = [];
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
    // This is a copy, because the body's memory is used again.
    const json = new Uint8Array(body.subarray(0, jsonLength));
    this.byLength.set(jsonLength, { json, slots, signature, outputs, wanted, length: body.length });
  }
}

export const knownHeadsUnder = perLimits(() => new KnownHeads());
