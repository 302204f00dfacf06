/**
 * Takes images of any size, and gives the model the size that it takes. Put it beside `policy`, which wants 480 × 640.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { Handler } from 'tfjs-serving/handler';

const [height, width] = [480, 640];

export const signature: Handler['signature'] = {
  inputs: {
    image: { dtype: 'uint8', shape: [-1, -1, -1, 3] },
    state: { dtype: 'float32', shape: [-1, 6] },
  },
};

export const preprocess: Handler['preprocess'] = ({ image, state }) => {
  const resized = tf.image.resizeBilinear(image as tf.Tensor4D, [height, width]);
  // The state comes in degrees, and is normalised as in the training of the model.
  return { image: resized.round(), state: (state as tf.Tensor).div(180) };
};
