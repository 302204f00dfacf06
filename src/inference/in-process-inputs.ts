/** Turns the values of a program into the tensors that a signature asks for. */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import {
  type Tensor as ClientTensor,
  type Elements,
  isTensor,
  rawData,
  tensor as tensorOf,
} from '../client/tensor.js';
import { checkShape, toTensor, type WireLimits } from '../codec/wire.js';
import type { TensorSpec } from '../engines/signature.js';
import { invalidArgument, messageOf } from '../errors.js';
import { claimNothing, toEnd } from '../flow/steps.js';
import type { Dtype, FixedDtype } from '../tensors/dtypes.js';
import { viewOf, widenHalf } from '../tensors/values.js';
import { createTensor, reshapeTensor, type Tensor, type TensorView, viewTensor } from '../tfjs/tensors.js';

/**
 * What a program may give for an input. Values of the signature's dtype are used without a copy, and must not change
 * until the prediction is there. Other numbers are converted if they fit: integers exactly, and fractions to the
 * nearest float.
 *
 * - a `tf.Tensor`, which the caller still disposes
 * - a typed array: one dimension, of its own dtype
 * - `{dtype, shape, data}`: any dtype and shape, as `tensor()` of `tfjs-serving/client` makes them
 * - a number, text, byte string, true or false, or nested lists of them
 */
export type PredictInput = tfjs.Tensor | ClientTensor | ArrayBufferView | Elements;

/**
 * The tensor for one input, which the receiver disposes. A `tf.Tensor` that was given still belongs to the caller.
 *
 * @throws ServingError INVALID_ARGUMENT naming the input
 */
export function inputTensor(value: PredictInput, spec: TensorSpec, limits: WireLimits): Tensor {
  if (isTfTensor(value)) {
    if (value.isDisposed) throw invalidArgument(`the tensor for input \`${spec.name}\` is disposed`);
    const view = viewTensor(value);
    // A second tensor over the same values. The core disposes its inputs, and the caller's must stay.
    return view.dtype === spec.dtype ? reshapeTensor(value, view.shape) : typedTensor(view, spec, limits);
  }
  if (isTensor(value)) return typedTensor(viewOfValue(value, spec), spec, limits);
  // A byte string may also be an element of a string tensor.
  if (ArrayBuffer.isView(value) && !(value instanceof Uint8Array && spec.dtype === 'string'))
    return typedTensor(viewOfValue(value, spec), spec, limits);
  return toEnd(toTensor({ kind: 'plain', value }, spec, limits, claimNothing));
}

function isTfTensor(value: PredictInput): value is tfjs.Tensor {
  return typeof value === 'object' && value !== null && 'dataSync' in value && 'throwIfDisposed' in value;
}

function viewOfValue(value: ClientTensor | ArrayBufferView, { name }: TensorSpec): TensorView {
  try {
    const tensor = ArrayBuffer.isView(value) ? tensorOf(value) : value;
    return { dtype: tensor.dtype, shape: tensor.shape, data: rawData(tensor) };
  } catch (error) {
    throw invalidArgument(`input \`${name}\`: ${messageOf(error)}`);
  }
}

function typedTensor({ dtype, shape, data }: TensorView, spec: TensorSpec, limits: WireLimits): Tensor {
  checkShape(`input \`${spec.name}\``, shape, limits);
  if (dtype === spec.dtype || !isReal(dtype) || !isReal(spec.dtype)) return createTensor(dtype, shape, data);
  const bytes = data as Uint8Array;
  const isHalf = dtype === 'float16' || dtype === 'bfloat16';
  const values = isHalf ? widenHalf(dtype, viewOf(dtype, bytes) as Uint16Array) : viewOf(dtype, bytes);
  const plain = { kind: 'plain', value: Array.from<unknown>(values), shape } as const;
  return toEnd(toTensor(plain, spec, limits, claimNothing));
}

function isReal(dtype: Dtype): dtype is Exclude<FixedDtype, 'bool' | 'complex64' | 'complex128'> {
  return !['string', 'bool', 'complex64', 'complex128'].includes(dtype);
}
