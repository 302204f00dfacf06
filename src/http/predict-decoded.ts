/**
 * From a body that has been read to the one core call.
 */
import { type InferRequest, inputNames, toTensors } from '../codec/infer-request.js';
import { type PredictRequest, type PredictResult, predict } from '../serving/predict.js';
import type { Services } from './services.js';

/** What a request says outside its body. */
export type AskedFor = Pick<PredictRequest, 'target' | 'deadline' | 'cancellation' | 'settled'>;

export function predictDecoded(
  { manager, wireLimits }: Services,
  request: InferRequest,
  { target, deadline, cancellation, settled }: AskedFor,
): Promise<PredictResult> {
  return predict(manager.table, {
    target,
    signature: request.signature,
    inputs: (signature) => toTensors(request, signature, wireLimits),
    inputNames: (signature) => inputNames(request, signature),
    outputs: request.outputs,
    deadline,
    cancellation,
    settled,
  });
}
