/**
 * Serves a graph model of TensorFlow.js, as `tensorflowjs_converter` writes it, out of the version's folder.
 */
import path from 'node:path';
import type { Handler } from 'tfjs-serving/handler';

export const load: Handler['load'] = ({ tf, directory }) =>
  tf.loadGraphModel(`file://${path.join(directory, 'model.json')}`);
