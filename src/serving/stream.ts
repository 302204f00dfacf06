/** Makes predictions of models that give one answer after another. */
import type { NamedTensors } from '../tfjs/tensors.js';
import { Admitted, type ModelRequest } from './admitted.js';
import { removeBatchDim } from './match.js';
import { queueFull } from './queue/batcher.js';
import type { Servable } from './servable.js';

/** The most concurrent streams of one version. */
const mostAtOnce = 256;

const underWay = new WeakMap<Servable, number>();

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
  const { stream } = servable.model;
  if (!stream) throw new Error(`${servable.id.model} does not stream`);
  const count = underWay.get(servable) ?? 0;
  if (count >= mostAtOnce) throw queueFull();
  const admitted = new Admitted(servable, wanted);
  const { signature, inputs, outputs, single } = admitted;
  underWay.set(servable, count + 1);
  try {
    for await (const given of stream(signature, inputs, { outputs }))
      yield single ? removeBatchDim(signature, given) : given;
  } finally {
    admitted.release();
    underWay.set(servable, (underWay.get(servable) ?? 1) - 1);
  }
}
