/**
 * What TensorFlow calls the dtypes that cannot travel: `tensorflow.DataType` (types.proto), for errors.
 */
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

/** References have the number of what they refer to, and this. */
const reference = 100;

/** `quint8`, `float32_ref`; of a number that no dtype has `dtype 99`. */
export function dtypeName(number: number): string {
  if (number > reference && number < 2 * reference) return `${dtypeName(number - reference)}_ref`;
  return dtypeOf(number) ?? otherNames[number] ?? `dtype ${number}`;
}
