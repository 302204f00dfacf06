/**
 * The client, `tfjs-serving/client`: for browsers and Node, without dependencies.
 */
export type { ErrorCode } from '../errors.js';
export { ServingError } from '../errors.js';
export {
  Client,
  type InferOptions,
  type InferResult,
  sendInferenceRequest,
  type UpdateRequest,
} from './client.js';
export { isRaggedTensor, isSparseTensor, type RaggedTensor, type SparseTensor } from './composites.js';
export { binaryToDict, type Dict, type Value } from './decode.js';
export { dictToBinary, type Encodable, type EncodableDict } from './encode.js';
export { RequestError } from './request-error.js';
export {
  type Dtype,
  type Elements,
  isTensor,
  numbersOf,
  type Tensor,
  type TensorDataOf,
  tensor,
  textsOf,
} from './tensor.js';
export type { CallOptions } from './transport.js';
