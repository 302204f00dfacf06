/**
 * tf.js runs on the event loop beside runs on TensorFlow's own threads. The binding under tf.js keeps the names of
 * attributes in a set without a lock. So only one thread may run its operations, and a session must not touch it.
 */
import { expect, it } from 'vitest';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';

stopHandlerServersAfterEach();

it('operations of every kind run beside sessions, and both give what they give alone', async () => {
  const started = await HandlerServer.start(
    ['rows_slow', 'rows'],
    {
      'ops/handler.ts': `
        import * as tf from '@tensorflow/tfjs-node-gpu';
        export const signature = { inputs: { x: { dtype: 'float32', shape: [-1, 4] } } };
        export async function predict({ x }, ctx) {
          const images = x.reshape([-1, 2, 2, 1]);
          const made = [
            tf.conv2d(images, tf.ones([1, 1, 1, 1]), 1, 'same'), tf.maxPool(images, 2, 1, 'same'),
            tf.image.resizeBilinear(images, [3, 3]), tf.topk(x, 2).values, tf.softmax(x), tf.cumsum(x, 1),
            tf.oneHot(tf.argMax(x, 1), 4), tf.concat([x, x], 1), tf.where(x.greater(0), x, x.neg()), tf.transpose(x),
            tf.gather(x, [0], 1), tf.stridedSlice(x, [0, 0], [1, 4], [1, 2]), tf.norm(x), tf.fft(tf.complex(x, x)).abs(),
          ];
          let sum = tf.scalar(0);
          for (const each of made) { sum = sum.add(each.toFloat().sum()); await null; }
          return { sum: sum.expandDims() };
        }`,
    },
    ...['--run-threads', '2', '--inline-run-micros', '0'],
  );
  const ops = (i: number) => started.outputs('ops', { x: [[i, -i, 2 * i, 1]] });
  const alone: object[] = [];
  for (let i = 0; i < 8; i++) alone.push(await ops(i));
  const slow = await started.outputs('rows_slow', { x: [1], steps: [400] });
  const rounds = Array.from({ length: 6 }, async (_, client) => {
    for (let i = 0; i < 40; i++) {
      if (client % 2 === 0) expect(await ops(i % 8)).toEqual(alone[i % 8]);
      else
        expect((await started.outputs('rows_slow', { x: [1], steps: [400] })).y[0]).toBeCloseTo(slow.y[0], 3);
    }
  });
  await Promise.all(rounds);
});
