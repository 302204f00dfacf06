/**
 * Names the largest outputs: put it beside a model whose output `action` has a number for each label.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { Handler } from 'tfjs-serving/handler';

const k = 3;

export const load: Handler<string[]>['load'] = async ({ directory }) =>
  JSON.parse(await readFile(path.join(directory, 'labels.json'), 'utf8'));

export const postprocess: Handler<string[]>['postprocess'] = async ({ action }, { loaded: labels }) => {
  const { values, indices } = tf.topk(action as tf.Tensor2D, k);
  const names = Array.from(await indices.data(), (index) => labels[index] ?? `label ${index}`);
  return { scores: values, labels: tf.tensor(names, indices.shape, 'string') };
};
