/**
 * `tensorflow.OpList` (op_def.proto) into names.
 */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message OpDef { string name = 1; }
  message OpList { repeated OpDef op = 1; }
`);
const OpList = root.lookupType('tensorflow.OpList');

/** @param list a serialized `tensorflow.OpList` */
export function operationNames(list: Uint8Array): ReadonlySet<string> {
  const { op } = OpList.toObject(OpList.decode(list), { defaults: true });
  return new Set((op as { name: string }[]).map(({ name }) => name));
}
