/**
 * A Koa application of your own that predicts in process, and mounts the whole model server beside its routes.
 *
 *   MODELS=saved_models PORT=3000 node examples/koa.ts
 */
import Koa from 'koa';
import mount from 'koa-mount';
import { createServer } from 'tfjs-serving';

const serving = createServer({ modelPath: process.env['MODELS'] ?? 'saved_models', listen: false });
await serving.start();

const app = new Koa();

// The server answers everything below /serving: /serving/models, /serving/infer, …
app.use(mount('/serving', serving.app));

// This route is your own: /half_plus_two?x=1&x=2
app.use(async (ctx) => {
  if (ctx.path !== '/half_plus_two') return;
  const x = [ctx.query['x'] ?? []].flat().map(Number);
  const prediction = await serving.predict({ model: 'half_plus_two', inputs: { x } });
  try {
    const y = prediction.outputs['y'];
    ctx.body = { version: prediction.version, y: y?.arraySync() };
  } finally {
    prediction.dispose();
  }
});

const http = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log('listening on', http.address());
});

process.once('SIGTERM', async () => {
  await serving.close();
  http.close();
  http.closeAllConnections();
});
