/**
 * A program of somebody who installed the package: not run, but compiled against the types in it.
 */
import {
  createLogger,
  createServer,
  type Engine,
  type InferenceProtocol,
  type ModelConfigFile,
  type Operation,
  type Prediction,
  type Runtime,
  type Server,
  type ServerOptions,
  type Services,
  ServingError,
  type Source,
  type StreamCodec,
  type Surface,
  viewTensor,
} from 'tfjs-serving';
import { type Check, engineChecks } from 'tfjs-serving/conformance';

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

/** A signature is enough of a model, and `predict` of what is loaded. */
export const engine: Engine = {
  name: 'Mine',
  format: { name: 'my model', mainFiles: ['mine.json'], tellingFiles: [] },
  read: async () => ({
    ...{ signatures: new Map(), parameterCount: 0, byteLength: 0 },
    load: async () => ({ predict: async () => ({ outputs: new Map() }) }),
  }),
};

export const checks: readonly Check[] = engineChecks(engine, { directory: 'models/mine/1' });

const config: ModelConfigFile = { version_labels: { stable: 1 } };
export const source: Source = {
  name: 'nowhere',
  list: async () => ({ models: [{ name: 'x', versions: [], config }], problems: [], unserved: [] }),
  materialise: async ({ place }) => ({ directory: place }),
};

const operation: Operation = { id: 'mine', tag: 'models', summary: 'Mine', answers: {} };
const deviceOf = ({ runtime }: Services): Runtime['device'] => runtime.device;

/** What a surface of one route is made of. */
export function surfaceWith(codec: StreamCodec, protocol: Omit<InferenceProtocol, 'streamCodec'>): Surface {
  return {
    name: 'mine',
    owns: (path) => path.startsWith('/mine'),
    routes: (services) => [
      { path: '/mine/:model', protocol: { ...protocol, streamCodec: () => codec } },
      {
        ...({ path: '/mine', method: 'GET', scope: 'open', operation } as const),
        handle: (ctx) => {
          ctx.body = deviceOf(services);
        },
      },
    ],
    errorAnswer: (_head, error) => ({
      ...{ status: 500, mediaType: codec.mediaType, headers: [] },
      body: codec.encodeError(error),
    }),
  };
}

// @ts-expect-error there is no such option
createServer({ prot: 1 });
// @ts-expect-error a port is a number
createServer({ port: '1' });
