/**
 * What a constant says: its shape, and the whole numbers of a small one. Values of large ones are not looked at.
 */
import { type GraphNode, shapeOf } from './graph-def.js';
import { Size } from './size.js';
import { type Same, same } from './value.js';
import { bytesField, integerField, integerFields, type Message } from './wire.js';

interface IntegerType {
  readonly size: number;
  readonly field: number;
  readonly isUnsigned?: true;
}

/** DT_INT32, DT_UINT8, DT_INT16, DT_INT8, DT_INT64, DT_BOOL: their bytes, and the field that holds values one by one. */
const integerTypes: ReadonlyMap<number, IntegerType> = new Map([
  [3, { size: 4, field: 7 }],
  [4, { size: 1, field: 7, isUnsigned: true }],
  [5, { size: 2, field: 7 }],
  [6, { size: 1, field: 7 }],
  [9, { size: 8, field: 10 }],
  [10, { size: 1, field: 11 }],
]);

/** Shapes, axes and permutations have fewer. */
const maxIntegers = 256;

export function constantOf(node: GraphNode): Same {
  const tensor = node.tensor('value');
  const shape = tensor && shapeOf(bytesField(tensor, 2) ?? Buffer.alloc(0));
  if (!tensor || !shape) return same(undefined);
  const dims = shape.map((dim) => Size.of(dim ?? 0));
  const count = shape.reduce<number>((product, dim) => product * (dim ?? 0), 1);
  if (count > maxIntegers) return same(dims);
  return same(dims, readIntegers(tensor, count)?.map(Size.of));
}

function readIntegers(tensor: Message, count: number): number[] | undefined {
  const type = integerTypes.get(integerField(tensor, 1));
  if (!type) return undefined;
  const content = bytesField(tensor, 4);
  if (content && content.length > 0) {
    if (content.length !== count * type.size) return undefined;
    return Array.from({ length: count }, (_, i) => readInteger(content, i * type.size, type));
  }
  const values = integerFields(tensor, type.field);
  const limit = 2 ** (8 * type.size - (type.isUnsigned ? 0 : 1));
  if (values.some((value) => value >= limit || value < (type.isUnsigned ? 0 : -limit))) return undefined;
  // Fewer values than elements: the last one stands for the rest.
  return Array.from({ length: count }, (_, i) => values[Math.min(i, values.length - 1)] ?? 0);
}

function readInteger(content: Message, offset: number, { size, isUnsigned }: IntegerType): number {
  if (size === 8) return Number(content.readBigInt64LE(offset));
  return isUnsigned ? content.readUIntLE(offset, size) : content.readIntLE(offset, size);
}
