/**
 * Which types an operation's inputs have, as `tensorflow.OpList` (op_def.proto) says it.
 */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message ArgDef {
    int32 type = 3;
    string type_attr = 4;
    string number_attr = 5;
    string type_list_attr = 6;
  }
  message AttrDef { string name = 1; AttrValue default_value = 3; }
  message AttrValue { int32 type = 6; }
  message OpDef { string name = 1; repeated ArgDef input_arg = 2; repeated AttrDef attr = 4; }
  message OpList { repeated OpDef op = 1; }
`);
const OpList = root.lookupType('tensorflow.OpList');

interface ArgDef {
  /** 0 where an attribute says it. */
  readonly type: number;
  readonly typeAttr: string;
  readonly numberAttr: string;
  readonly typeListAttr: string;
}

interface OpDef {
  readonly name: string;
  readonly inputArg: readonly ArgDef[];
  readonly attr: readonly {
    readonly name: string;
    readonly defaultValue: { readonly type: number } | null;
  }[];
}

/** What is asked of a node's attributes. */
export interface Attributes {
  /** A `tensorflow.DataType`; 0 where there is none. */
  type(name: string): number;
  /** A list of these. */
  types(name: string): readonly number[];
  integer(name: string): number;
}

/** Gives the `tensorflow.DataType` of each input of an operation. */
export type InputTypes = (operation: string, attributes: Attributes) => number[];

/** @param list a serialized `tensorflow.OpList` */
export function readInputTypes(list: Uint8Array): InputTypes {
  const { op } = OpList.toObject(OpList.decode(list), { defaults: true, arrays: true });
  const known = new Map((op as OpDef[]).map((each) => [each.name, each]));
  return (operation, attributes) => {
    const { inputArg = [], attr = [] } = known.get(operation) ?? {};
    return inputArg.flatMap(({ type, typeAttr, numberAttr, typeListAttr }) => {
      if (typeListAttr !== '') return [...attributes.types(typeListAttr)];
      const standard = attr.find(({ name }) => name === typeAttr)?.defaultValue?.type ?? 0;
      const one = typeAttr === '' ? type : attributes.type(typeAttr) || standard;
      return Array<number>(numberAttr === '' ? 1 : attributes.integer(numberAttr)).fill(one);
    });
  };
}
