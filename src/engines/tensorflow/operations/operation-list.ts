/** Reads the names in a `tensorflow.OpList` (op_def.proto). */
import { tensorflow } from '#proto/decoders.js';
import { readerOf } from '../proto/message-reader.js';

/** @param list is a serialized `tensorflow.OpList` */
export function operationNames(list: Uint8Array): ReadonlySet<string> {
  const { op } = tensorflow.OpList.decode(readerOf(list));
  return new Set(op.map(({ name }) => name));
}
