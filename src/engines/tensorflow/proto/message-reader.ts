/**
 * Serialized protobuf messages, for the decoders that are made of `proto/`.
 */
import protobuf from 'protobufjs/minimal.js';

/** A reader with which decoders keep nothing of the fields that `proto/` does not name. */
export function readerOf(message: Uint8Array): protobuf.Reader {
  const reader = protobuf.Reader.create(message);
  reader.discardUnknown = true;
  return reader;
}
