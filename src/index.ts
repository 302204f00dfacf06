/** The server as a library. Importing it does nothing: {@link createServer} loads TensorFlow. */

export type { AnswerCodec } from './codec/codecs.js';
export type {
  AnswerBody,
  BodyInPieces,
  EncodedAnswer,
  EncodedBody,
  InferAnswer,
} from './codec/infer-answer.js';
export type { InferBody } from './codec/infer-body.js';
export type {
  DeferredTensor,
  KnownTensor,
  PartsOfTensor,
  PlainValue,
  TypedTensor,
  UnevenRows,
  WireLimits,
  WireTensor,
} from './codec/wire.js';
export type { Settings } from './config/settings.js';
export type { Engine, FoundModel, ModelFormat, WarmupFile, WarmupRequest } from './engines/engine.js';
export type { ComputeMode, EngineModel, EngineRun, RunOptions } from './engines/inference-model.js';
export type {
  CallerSpec,
  CompositeSpec,
  Composites,
  Dim,
  ProvenRows,
  RaggedSpec,
  RowProof,
  Signature,
  SparseSpec,
  TensorSpec,
  UnprovenRows,
  UnusableSignature,
} from './engines/signature.js';
export type { Runtime } from './engines/tensorflow/runtime.js';
export { type ErrorCode, type ErrorDetails, httpStatusOf, type Remedy, ServingError } from './errors.js';
export type { Answer, ErrorAnswer } from './http/answer/answer.js';
export type { Body } from './http/body/body.js';
export type { BodyDecoder, InferenceProtocol, StreamCodec } from './http/inference-protocol.js';
export type { Head } from './http/request/head.js';
export type { Content, Operation, Parameter, RequestBody } from './http/routes/operation.js';
export type { Place, TableRoute } from './http/routes/route.js';
export type { Services } from './http/services.js';
export type { CommonRequests, InferRoute, Surface } from './http/surface.js';
export type { Prediction, PredictOptions } from './inference/in-process.js';
export type { PredictInput } from './inference/in-process-inputs.js';
export { createServer, type Server, type ServerOptions } from './server.js';
export type { Target } from './serving/table.js';
export type { ModelConfigFile, RepositoryConfigFile } from './stores/serving-json.js';
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
export { inputOf, joinTensors, type Padding } from './tfjs/rows.js';
export { createTensor, type NamedTensors, type Tensor, type TensorView, viewTensor } from './tfjs/tensors.js';
