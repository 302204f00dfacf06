/**
 * Predictions that come one after another, of a handler whose `predict` is a generator.
 */
import { fetchedOutputs } from '../engines/composite.js';
import { matchInputs, removeBatchDim } from '../serving/match.js';
import { checkOutputs, chooseSignature, type PredictRequest } from '../serving/predict.js';
import { queueFull } from '../serving/queue/batcher.js';
import { refusedInputs } from '../serving/refused-inputs.js';
import type { Servable } from '../serving/servable.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import { HandledModel } from './handled-model.js';

/** Streams of one version at once. */
const mostAtOnce = 256;

const underWay = new WeakMap<Servable, number>();

/** The handler of a version whose answers are streams. */
export function streamingHandler({ loaded }: Servable): HandledModel | undefined {
  return loaded instanceof HandledModel && loaded.streams ? loaded : undefined;
}

/**
 * Each answer's outputs, which the caller disposes. Ends the generator when the caller ends this one.
 *
 * @throws ServingError (rejects) as a request is refused; HandlerFault if the handler fails, at whichever answer
 */
export async function* streamPredictions(
  servable: Servable,
  {
    signature: name,
    inputs,
    inputNames,
    outputs,
  }: Pick<PredictRequest, 'signature' | 'inputs' | 'inputNames' | 'outputs'>,
): AsyncGenerator<NamedTensors, void, void> {
  const handled = streamingHandler(servable);
  if (!handled) throw new Error(`${servable.id.model} does not stream`);
  const count = underWay.get(servable) ?? 0;
  if (count >= mostAtOnce) throw queueFull();
  underWay.set(servable, count + 1);
  servable.acquire();
  let tensors: NamedTensors | undefined;
  try {
    const signature = chooseSignature(servable, name);
    checkOutputs(signature, outputs);
    let matched: ReturnType<typeof matchInputs>;
    try {
      tensors = inputs(signature);
      matched = matchInputs(servable.id.model, signature, tensors, inputNames(signature));
    } catch (error) {
      throw refusedInputs(error, signature);
    }
    try {
      const selection = { outputs: fetchedOutputs(signature, outputs) };
      for await (const given of handled.stream(signature, matched.inputs, selection))
        yield matched.single ? removeBatchDim(signature, given) : given;
    } finally {
      matched.dispose();
    }
  } finally {
    if (tensors) disposeTensors(tensors);
    servable.release();
    underWay.set(servable, (underWay.get(servable) ?? 1) - 1);
  }
}
