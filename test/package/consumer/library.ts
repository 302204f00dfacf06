/**
 * A program of somebody who installed the package: not run, but compiled against the types in it.
 */
import {
  createLogger,
  createServer,
  type Prediction,
  type Server,
  type ServerOptions,
  ServingError,
  viewTensor,
} from 'tfjs-serving';

const options: ServerOptions = {
  modelPath: 'models',
  port: 0,
  logger: createLogger({ level: 'info', format: 'json' }),
};
const server: Server = createServer(options);
await server.start();
const prediction: Prediction = await server.predict({ inputs: { x: [1, 2, 5] } });
const y = prediction.outputs['y'];
if (y) console.log(viewTensor(y).dtype, server.tf.sum(y).arraySync());
server.app.use(async (ctx, next) => {
  ctx.set('x-from', 'consumer');
  await next();
});
try {
  await server.close();
} catch (error) {
  if (error instanceof ServingError && error.code === 'UNAVAILABLE') console.log(error.retryAfter);
}

// @ts-expect-error there is no such option
createServer({ prot: 1 });
// @ts-expect-error a port is a number
createServer({ port: '1' });
