/** The models that hostile requests are sent to: some return what comes, and some make much from little. */
import { cp, mkdir, rename, writeFile } from 'node:fs/promises';
import type { TensorView } from '../../src/tfjs/tensors.ts';
import { GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import { TestRepository } from '../fixtures/repository.ts';

/** What `fill_NAME` fills its output with. The float takes the most digits that one can have. */
const fillings: Readonly<Record<string, TensorView>> = {
  float32: { dtype: 'float32', shape: [], data: new Uint8Array(Float32Array.of(1 / 3).buffer) },
  float16: { dtype: 'float16', shape: [], data: Uint8Array.of(0x55, 0x35) },
  uint8: { dtype: 'uint8', shape: [], data: Uint8Array.of(7) },
  string: { dtype: 'string', shape: [], data: [Buffer.from('text')] },
};

const handler = `
  export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
  export const predict = ({ x }) => ({ y: x });
  export const routes = (router) => { router.post('/echo', (koa) => { koa.body = 'done'; }); };
`;

/**
 * `identity`, `sparse` and `ragged` of the test models, `handled` with a handler that has a route `echo`, and for each filling `fill_NAME`, with `y = fill(dims)`, `dims` an int32 vector: a few bytes that
 * ask for outputs of any size.
 */
export async function hostileRepository(): Promise<TestRepository> {
  const repository = await TestRepository.create('identity', 'sparse', 'ragged');
  await mkdir(repository.path('handled'));
  await writeFile(repository.path('handled', 'handler.js'), handler);
  for (const [name, filling] of Object.entries(fillings)) {
    const graph = new GraphBuilder();
    const dims = graph.placeholder('int32', [null], { name: 'dims' });
    const y = graph.first('Fill', [dims, graph.constant(filling)]);
    const signature = {
      inputs: { dims: { ref: dims, shape: [null] } },
      outputs: { y: { ref: y, shape: null } },
    };
    const staged = repository.path(`.staged-${name}`);
    await inSavedModel(
      graph.encode(),
      async (directory) => {
        await mkdir(staged);
        await cp(directory, `${staged}/1`, { recursive: true });
      },
      signature,
    );
    await rename(staged, repository.path(`fill_${name}`));
  }
  return repository;
}
