/**
 * A handler of somebody who installed the package: not run, but compiled against the types in it.
 */
import type { Scalar } from '@tensorflow/tfjs-node-gpu';
import type { Handler, HandlerContext, Tensors } from 'tfjs-serving/handler';

const handler: Handler<Scalar> = {
  load: ({ tf }) => tf.scalar(2),
  signature: { inputs: { x: { dtype: 'float32', shape: [-1, 3] } } },
  preprocess: ({ x }, { loaded, tf }) => ({ x: tf.mul(x ?? 0, loaded) }),
  async *predict(inputs: Tensors, ctx: HandlerContext<Scalar>) {
    yield await ctx.run(inputs, { signature: 'serving_default' });
    yield await ctx.predict({ model: 'other', inputs: { x: [1, 2, 3] } });
  },
  routes(router, ctx) {
    router.post('/about', (koa) => {
      koa.body = { model: ctx.model, asked: koa.request.body };
    });
  },
};
export default handler;

// @ts-expect-error there is no such dtype
export const signature: Handler['signature'] = { inputs: { x: { dtype: 'float' } } };
