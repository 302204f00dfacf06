/**
 * Serialized `tensorflow.Example`s (example.proto, feature.proto).
 */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message FloatList { repeated float value = 1; }
  message Feature { FloatList float_list = 2; }
  message NamedFeature { string key = 1; Feature value = 2; }
  message Features { repeated NamedFeature feature = 1; }
  message Example { Features features = 1; }
`);
const Example = root.lookupType('tensorflow.Example');

/** @param features numbers, by the names of the features */
export function encodeExample(features: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const feature = Object.entries(features).map(([key, value]) => ({ key, value: { floatList: { value } } }));
  return Example.encode(Example.fromObject({ features: { feature } })).finish();
}
