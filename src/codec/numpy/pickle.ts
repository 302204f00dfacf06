/** Recognises a Python pickle, which clients of Flask servers often send. */
/** True for a beginning of protocols 2 to 5: the opcode PROTO and the number. */
export function isPickleStart(body: Uint8Array): boolean {
  const protocol = body[1] ?? 0;
  return body[0] === 0x80 && protocol >= 2 && protocol <= 5;
}

/**
 * True for a whole pickle, which ends with STOP. As CBOR its first byte would be an empty array, which is no request
 * either.
 */
export function isPickle(body: Uint8Array): boolean {
  return isPickleStart(body) && body.at(-1) === 0x2e;
}

export const pickleAdvice =
  'the body is a Python pickle, which this server never decodes, since decoding one runs code: send CBOR, ' +
  'cbor2.dumps({"x": CBORTag(40, [x.shape, CBORTag(85, x.tobytes())])}) with content-type: application/cbor';
