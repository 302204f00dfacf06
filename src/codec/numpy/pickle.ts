/**
 * Tells a Python pickle, which is what clients of Flask servers send, from a body that is merely wrong.
 */
/** Protocols 2 to 5 begin with the opcode PROTO and their number. */
export function isPickleStart(body: Uint8Array): boolean {
  const protocol = body[1] ?? 0;
  return body[0] === 0x80 && protocol >= 2 && protocol <= 5;
}

/** They end with STOP. As CBOR the first byte would be an empty array, which is no request either. */
export function isPickle(body: Uint8Array): boolean {
  return isPickleStart(body) && body.at(-1) === 0x2e;
}

export const pickleAdvice =
  'the body is a Python pickle, which this server never decodes, since decoding one runs code: send CBOR, ' +
  'cbor2.dumps({"x": CBORTag(40, [x.shape, CBORTag(85, x.tobytes())])}) with content-type: application/cbor';
