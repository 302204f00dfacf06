/** Reads `tensorflow.TensorProto` (tensor.proto) into raw tensor values. */
import type { tensorflow } from '#proto/decoders.js';
import { invalidArgument } from '../../../errors.js';
import { dtypeOf, elementCount, type FixedDtype } from '../../../tensors/dtypes.js';
import { allocate } from '../../../tensors/values.js';
import type { TensorView } from '../../../tfjs/tensors.js';
import { dtypeName } from './dtype-names.js';

type TensorProto = tensorflow.TensorProto;

type NumberField = Exclude<
  keyof TensorProto,
  'dtype' | 'tensorShape' | 'tensorContent' | 'stringVal' | '$unknowns'
>;

/** The field that holds a dtype's values if `tensor_content` does not. Half floats are stored as their bits. */
const fields: Record<FixedDtype, NumberField> = {
  bool: 'boolVal',
  int8: 'intVal',
  int16: 'intVal',
  int32: 'intVal',
  int64: 'int64Val',
  uint8: 'intVal',
  uint16: 'intVal',
  uint32: 'uint32Val',
  uint64: 'uint64Val',
  float16: 'halfVal',
  bfloat16: 'halfVal',
  float32: 'floatVal',
  float64: 'doubleVal',
  complex64: 'scomplexVal',
  complex128: 'dcomplexVal',
};

/**
 * @throws ServingError INVALID_ARGUMENT for a dtype that cannot travel, or content that does not fit the shape
 */
export function readTensorProto(what: string, proto: TensorProto): TensorView {
  const dtype = dtypeOf(proto.dtype);
  if (!dtype) throw invalidArgument(`${what} is ${dtypeName(proto.dtype)}, which cannot be fed`);
  const shape = (proto.tensorShape?.dim ?? []).map(({ size }) => Number(size));
  const count = elementCount(shape);
  if (dtype === 'string') return { dtype, shape, data: repeatLast(proto.stringVal, count, new Uint8Array()) };
  const { values, bytes } = allocate(dtype, count);
  if (proto.tensorContent.length > 0 || count === 0) {
    if (proto.tensorContent.length !== bytes.length)
      throw invalidArgument(`${what}: its content does not fit its shape`);
    return { dtype, shape, data: proto.tensorContent };
  }
  const isBig = values instanceof BigInt64Array || values instanceof BigUint64Array;
  const found = proto[fields[dtype]];
  const given = repeatLast<TensorProto[NumberField][number]>(found, values.length, 0);
  for (const [i, value] of given.entries()) values[i] = isBig ? BigInt(String(value)) : Number(value);
  return { dtype, shape, data: bytes };
}

/** If there are fewer values than elements, the last one stands for the rest, as in TensorFlow. */
function repeatLast<Value>(values: readonly Value[], count: number, none: Value): Value[] {
  const last = values.at(-1) ?? none;
  return Array.from({ length: count }, (_, i) => values[i] ?? last);
}
