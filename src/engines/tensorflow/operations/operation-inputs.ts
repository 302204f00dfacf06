/** Finds the types of an operation's inputs in a `tensorflow.OpList` (op_def.proto). */
import { tensorflow } from '#proto/decoders.js';
import { readerOf } from '../proto/message-reader.js';

/** The attributes of a node. */
export interface Attributes {
  /** A `tensorflow.DataType`; 0 if there is none. */
  type(name: string): number;
  /** A list of them. */
  types(name: string): readonly number[];
  integer(name: string): number;
}

/** Gives the `tensorflow.DataType` of each input of an operation. */
export type InputTypes = (operation: string, attributes: Attributes) => number[];

/** @param list is a serialized `tensorflow.OpList` */
export function readInputTypes(list: Uint8Array): InputTypes {
  const { op } = tensorflow.OpList.decode(readerOf(list));
  const known = new Map(op.map((each) => [each.name, each]));
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
