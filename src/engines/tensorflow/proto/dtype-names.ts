/** TensorFlow's names for dtypes that cannot travel (`tensorflow.DataType` in types.proto). Errors use them. */
import { dtypeOf } from '../../../tensors/dtypes.js';

const otherNames: Readonly<Record<number, string>> = {
  0: 'of no dtype',
  11: 'qint8',
  12: 'quint8',
  13: 'qint32',
  15: 'qint16',
  16: 'quint16',
  20: 'resource',
  21: 'variant',
  24: 'float8_e5m2',
  25: 'float8_e4m3fn',
  26: 'float8_e4m3fnuz',
  27: 'float8_e4m3b11fnuz',
  28: 'float8_e5m2fnuz',
  29: 'int4',
  30: 'uint4',
  31: 'int2',
  32: 'uint2',
  33: 'float4_e2m1fn',
};

/** The number of a reference is that of its dtype plus this. */
const reference = 100;

/** Names a dtype: `quint8`, `float32_ref`, or `dtype 99` for an unknown number. */
export function dtypeName(number: number): string {
  if (number > reference && number < 2 * reference) return `${dtypeName(number - reference)}_ref`;
  return dtypeOf(number) ?? otherNames[number] ?? `dtype ${number}`;
}
