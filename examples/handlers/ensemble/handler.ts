/** Returns the mean of two models of this server. It is a model of its own, in a folder that holds nothing else. */
import type { Tensor } from '@tensorflow/tfjs-node-gpu';
import type { Handler } from 'tfjs-serving/handler';

export const signature: Handler['signature'] = { inputs: { x: { dtype: 'float32', shape: [-1] } } };

export const predict: Handler['predict'] = async ({ x }, ctx) => {
  const inputs = { x: x as Tensor };
  const answers = await Promise.all(['first', 'second'].map((model) => ctx.predict({ model, inputs })));
  return { y: ctx.tf.addN(answers.map(({ y }) => y as Tensor)).div(answers.length) };
};
