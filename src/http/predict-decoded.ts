/**
 * From a body that has been read to the one core call.
 */
import type { InferRequest } from '../codec/infer-request.js';
import type { Claim } from '../codec/steps.js';
import { type PredictRequest, type PredictResult, predict } from '../serving/predict.js';
import { areReady, inputsOf, withInputs } from './made-inputs.js';
import type { Services } from './services.js';

/** What a request says outside its body. */
export interface AskedFor extends Pick<PredictRequest, 'target' | 'deadline' | 'cancellation' | 'settled'> {
  /** Takes more out of the budget, for what the body becomes. */
  readonly claim: Claim;
}

export function predictDecoded(
  { manager, wireLimits }: Services,
  request: InferRequest,
  { claim, ...asked }: AskedFor,
): Promise<PredictResult> {
  const find = () => manager.table.find(asked.target);
  // The common request waits for nothing.
  if (areReady(request, find)) return predict(manager.table, { ...inputsOf(request, wireLimits), ...asked });
  return withInputs(request, { limits: wireLimits, claim, find }, (inputs) =>
    predict(manager.table, { ...inputs, ...asked }),
  );
}
