/** Reads serialized protobuf messages for the decoders that are made from `proto/`. */
import protobuf from 'protobufjs/minimal.js';

/** A reader that makes decoders keep none of the fields that `proto/` does not name. */
export function readerOf(message: Uint8Array): protobuf.Reader {
  const reader = protobuf.Reader.create(message);
  reader.discardUnknown = true;
  return reader;
}
