/** Adds endpoints beside predictions: `GET /models/{name}/about`, `POST /models/{name}/half`. */
import type { Handler } from 'tfjs-serving/handler';

export const routes: Handler['routes'] = (router, ctx) => {
  router.get('/about', (koa) => {
    koa.body = { model: ctx.model, version: ctx.version, made: 'by hand' };
  });
  router.post('/half', async (koa) => {
    const { x } = koa.request.body as { x: number[] };
    const { y } = await ctx.run({ x: ctx.tf.tensor1d(x) });
    koa.body = { half: [...(y?.dataSync() ?? [])] };
  });
};
