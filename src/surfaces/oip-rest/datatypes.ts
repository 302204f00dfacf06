/** The protocol's names for dtypes. */

import { invalidArgument, quoted, ServingError } from '../../errors.js';
import { entriesOf } from '../../flow/keys.js';
import type { Dtype } from '../../tensors/dtypes.js';

/**
 * The names. The protocol has none for complex numbers: metadata shows the ones here, and no request or answer uses
 * them.
 */
export const datatypes = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  bfloat16: 'BF16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
  complex64: 'COMPLEX64',
  complex128: 'COMPLEX128',
} as const satisfies Record<Dtype, string>;

const dtypeByName: ReadonlyMap<string, Dtype> = new Map(
  entriesOf(datatypes).map(([dtype, name]) => [name, dtype]),
);

const travelling = Object.values(datatypes).filter((name) => !name.startsWith('COMPLEX'));

/**
 * @param what names the tensor in errors
 * @throws ServingError INVALID_ARGUMENT for an unknown name, UNIMPLEMENTED for complex numbers
 */
export function dtypeOfName(what: string, name: string): Dtype {
  const dtype = dtypeByName.get(name);
  if (dtype === undefined)
    throw invalidArgument(`${what}: no datatype ${quoted(name)}; there are ${travelling.join(', ')}`);
  checkTravels(what, dtype);
  return dtype;
}

/** @throws ServingError UNIMPLEMENTED for complex numbers */
export function checkTravels(what: string, dtype: Dtype): void {
  if (dtype !== 'complex64' && dtype !== 'complex128') return;
  throw new ServingError(
    'UNIMPLEMENTED',
    `${what} is ${dtype}, which the Open Inference Protocol has no datatype for: ask /models/{name}/infer`,
  );
}
