/** Runs handlers whose `predict` is a generator: their predictions come one after another. */
import { Admitted, type ModelRequest } from '../serving/admitted.js';
import { removeBatchDim } from '../serving/match.js';
import { queueFull } from '../serving/queue/batcher.js';
import type { Servable } from '../serving/servable.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import { HandledModel } from './handled-model.js';

/** The most concurrent streams of one version. */
const mostAtOnce = 256;

const underWay = new WeakMap<Servable, number>();

/** The handler of a version that streams its answers; undefined for any other version. */
export function streamingHandler({ model }: Servable): HandledModel | undefined {
  return model instanceof HandledModel && model.streams ? model : undefined;
}

/**
 * Gives the outputs of each answer, which the caller disposes. It ends the handler's generator when the caller ends
 * this one.
 *
 * @throws ServingError (rejects) for a request that is refused; HandlerFault if the handler fails, at whichever answer
 */
export async function* streamPredictions(
  servable: Servable,
  wanted: ModelRequest,
): AsyncGenerator<NamedTensors, void, void> {
  const handled = streamingHandler(servable);
  if (!handled) throw new Error(`${servable.id.model} does not stream`);
  const count = underWay.get(servable) ?? 0;
  if (count >= mostAtOnce) throw queueFull();
  const admitted = new Admitted(servable, wanted);
  const { signature, inputs, outputs, single } = admitted;
  underWay.set(servable, count + 1);
  try {
    for await (const given of handled.stream(signature, inputs, { outputs }))
      yield single ? removeBatchDim(signature, given) : given;
  } finally {
    admitted.release();
    underWay.set(servable, (underWay.get(servable) ?? 1) - 1);
  }
}
