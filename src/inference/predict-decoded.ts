/** Leads from a body that has been read to the one core call. */
import type { InferBody } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import type { Claim } from '../flow/steps.js';
import { type PredictRequest, type PredictResult, predict } from '../serving/predict.js';
import type { Table } from '../serving/table.js';
import { areReady, type Inputs, inputsOf, withInputs } from './made-inputs.js';

/** What a request says outside its body. */
export interface AskedFor
  extends Pick<PredictRequest, 'target' | 'deadline' | 'cancellation' | 'settled' | 'owner'> {
  /** Claims more memory, for what the body becomes. */
  readonly claim: Claim;
}

export function predictDecoded(
  { table, wireLimits }: { readonly table: () => Table; readonly wireLimits: WireLimits },
  request: InferBody,
  asked: AskedFor,
): Promise<PredictResult> {
  const { target, deadline, cancellation, settled, owner } = asked;
  const find = () => table().find(target);
  const call = ({ signature, inputs, inputNames, outputs }: Inputs) =>
    // The fields are listed, because spreading two objects into a third takes a microsecond or two.
    predict(table(), {
      target,
      signature,
      inputs,
      inputNames,
      outputs,
      deadline,
      cancellation,
      settled,
      owner,
    });
  // A common request waits for nothing.
  if (areReady(request, find)) return call(inputsOf(request, wireLimits));
  return withInputs(request, { limits: wireLimits, claim: asked.claim, find }, call);
}
