/** Runs an inference request that came through Koa, and answers it through Koa. */
import type { RouterContext } from '@koa/router';
import type { Target } from '../serving/table.js';
import { setAnswer } from './answer/answer.js';
import { whenFinished } from './connection/finished.js';
import type { InferenceProtocol } from './inference-protocol.js';
import { exchangeOf } from './request/exchange.js';
import { InferenceRequest } from './request/inference-request.js';
import type { InferenceServices } from './services.js';

/**
 * Resolves once the context has the answer, or a stream has sent it.
 *
 * @param target says which model is meant; it may throw a ServingError
 * @throws ServingError (rejects)
 */
export function inferThroughKoa(
  ctx: RouterContext,
  services: InferenceServices,
  protocol: InferenceProtocol,
  target: () => Target,
): Promise<void> {
  const asked = { head: ctx, target, protocol };
  return new Promise((resolve, reject) => {
    new InferenceRequest(exchangeOf(ctx), services, asked, {
      answer(answer, freeBody) {
        // Parts of the answer are views on the outputs. They are disposed when the answer has been sent, or the client
        // has left.
        whenFinished(ctx.req.socket, ctx.res, freeBody);
        setAnswer(ctx, answer);
        resolve();
      },
      fail: reject,
      streamBegins() {
        ctx.respond = false;
      },
      streamed: resolve,
    }).start();
  });
}
