/** The server as a library. Importing it does nothing: {@link createServer} loads TensorFlow. */

export type { AnswerCodec } from './codec/codecs.js';
export type { EncodedAnswer, InferAnswer } from './codec/infer-answer.js';
export type { InferBody } from './codec/infer-body.js';
export type { Settings } from './config/settings.js';
export type { Engine, ModelFormat, ReadModel, WarmupFile, WarmupRequest } from './engines/engine.js';
export type {
  ComputeMode,
  InferenceModel,
  RunOptions,
  RunResult,
} from './engines/inference-model.js';
export type { MetaGraph, RowProof, Signature, TensorSpec } from './engines/signature.js';
export { type ErrorCode, httpStatusOf, ServingError } from './errors.js';
export type { ErrorAnswer } from './http/answer/answer.js';
export type { BodyDecoder, InferenceProtocol } from './http/inference-protocol.js';
export type { Head } from './http/request/head.js';
export type { TableRoute } from './http/routes/route.js';
export type { CommonRequests, InferRoute, Surface } from './http/surface.js';
export type { Prediction, PredictOptions } from './inference/in-process.js';
export type { PredictInput } from './inference/in-process-inputs.js';
export { createServer, type Server, type ServerOptions } from './server.js';
export type { Target } from './serving/table.js';
export type {
  ArrivalFacts,
  Listing,
  LocalVersion,
  ModelListing,
  Source,
  SourceVersion,
  UnreadableVersion,
  VersionListing,
  Watch,
} from './stores/source.js';
export { createLogger, type Logger } from './telemetry/logger.js';
export type { Dtype } from './tensors/dtypes.js';
export { inputOf, joinTensors } from './tfjs/rows.js';
export { createTensor, type NamedTensors, type Tensor, type TensorView, viewTensor } from './tfjs/tensors.js';
