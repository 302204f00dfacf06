/**
 * Reads constants: the shape of each, and the whole numbers of a small one. The values of large ones are not looked at.
 */
import { type GraphNode, shapeOf } from './graph-def.js';
import { Size } from './size.js';
import { type Same, same } from './value.js';
import { bytesField, integerField, integerFields, type Message } from './wire.js';

interface IntegerType {
  readonly size: number;
  readonly field: number;
}

/**
 * DT_INT32, DT_INT64 and DT_BOOL: the bytes of an element, and the field that holds values one by one. Numbers of
 * narrower dtypes may wrap around, so they are not followed.
 */
const integerTypes: ReadonlyMap<number, IntegerType> = new Map([
  [3, { size: 4, field: 7 }],
  [9, { size: 8, field: 10 }],
  [10, { size: 1, field: 11 }],
]);

/** The most numbers that are read. Shapes, axes and permutations have fewer. */
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

/** @returns undefined if the values are no whole numbers, or not exact as doubles */
function readIntegers(tensor: Message, count: number): number[] | undefined {
  const type = integerTypes.get(integerField(tensor, 1));
  const numbers = type && numbersOf(tensor, count, type);
  return numbers?.every(Number.isSafeInteger) ? numbers : undefined;
}

function numbersOf(tensor: Message, count: number, { size, field }: IntegerType): number[] | undefined {
  const content = bytesField(tensor, 4);
  if (content && content.length > 0) {
    if (content.length !== count * size) return undefined;
    return Array.from({ length: count }, (_, i) => readInteger(content, i * size, size));
  }
  const values = integerFields(tensor, field);
  const limit = 2 ** (8 * size - 1);
  if (values.some((value) => value >= limit || value < -limit)) return undefined;
  // If there are fewer values than elements, the last one stands for the rest.
  return Array.from({ length: count }, (_, i) => values[Math.min(i, values.length - 1)] ?? 0);
}

function readInteger(content: Message, offset: number, size: number): number {
  return size === 8 ? Number(content.readBigInt64LE(offset)) : content.readIntLE(offset, size);
}
