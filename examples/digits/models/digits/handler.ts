/**
 * Takes drawn pictures of digits: of any size, dark on light, light on dark, in colour, or on a transparent ground.
 *
 * The model knows only digits of 8 × 8. Each of their pixels counts the ink in 4 × 4 pixels of a bitmap. So a picture
 * is turned into such a digit.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { ServingError } from 'tfjs-serving';
import type { Handler } from 'tfjs-serving/handler';

const size = 8;
const fine = 4 * size;

/** The thickness of strokes in the digits that the model has learnt from, in pixels of the bitmap. */
const thickness = 5;

/** On a scale to 1, fainter ink is no drawing. */
const faintest = 0.1;

export const signature: Handler['signature'] = {
  inputs: { image: { dtype: 'uint8', shape: [-1, -1, -1, 4] } },
  outputs: {
    digit: { dtype: 'int32', shape: [-1] },
    probabilities: { dtype: 'float32', shape: [-1, 10] },
  },
};

export const preprocess: Handler['preprocess'] = ({ image }) => toModel(image as tf.Tensor4D);

export const postprocess: Handler['postprocess'] = (outputs) => {
  const probabilities = outputs['probabilities'] as tf.Tensor2D;
  return { digit: probabilities.argMax(1), probabilities };
};

/** Warms up with a stroke, because a made-up picture would be blank. */
export const warmup: Handler['warmup'] = async (ctx) => {
  const stroke = tf.fill([1, 12, 3, 4], 255, 'int32');
  await ctx.run(
    toModel(
      stroke.pad([
        [0, 0],
        [8, 8],
        [12, 13],
        [0, 0],
      ]),
    ),
  );
};

function toModel(pictures: tf.Tensor) {
  return { image: tf.stack(tf.unstack(pictures).map((picture, row) => frame(inkOf(picture), row))) };
}

/**
 * How far each pixel is from the paper, from 0 to 1. The paper is the most common colour and opacity at the picture's
 * edge. So nobody need say which is dark and which is light.
 */
function inkOf(picture: tf.Tensor): tf.Tensor2D {
  const [height, width] = picture.shape as [number, number];
  const pixels = picture.toFloat().div(255);
  const opacity = pixels.slice([0, 0, 3]);
  // The colour of an invisible pixel means nothing.
  const seen = tf.concat([pixels.slice([0, 0, 0], [-1, -1, 3]).mul(opacity), opacity], 2);
  const edge = tf.concat([
    ...[0, height - 1].map((row) => seen.slice([row, 0], [1, -1]).reshape([width, 4])),
    ...[0, width - 1].map((column) => seen.slice([0, column], [-1, 1]).reshape([height, 4])),
  ]);
  const { values } = tf.topk(edge.transpose(), height + width);
  const paper = values.slice([0, height + width - 1]).reshape([1, 1, 4]);
  return seen.sub(paper).abs().max(2) as tf.Tensor2D;
}

/** Puts the drawing in the middle of a square that it just fits, with strokes as thick as the model knows them. */
function frame(ink: tf.Tensor2D, row: number): tf.Tensor3D {
  const strongest = ink.max();
  if ((strongest.dataSync()[0] as number) < faintest)
    throw new ServingError('INVALID_ARGUMENT', `picture ${row} of the request is blank`);
  const clear = ink.greater(strongest.mul(0.4)).toFloat() as tf.Tensor2D;
  const [top, bottom] = extentOf(clear.max(1));
  const [left, right] = extentOf(clear.max(0));
  const long = Math.max(bottom - top, right - left);
  // Strokes grow to both sides, and the square must have room for that.
  const missing = Math.max(0, Math.round(thickness - thicknessOf(clear) * (fine / long)));
  const side = long * (fine / (fine - missing));
  const down = shares(ink.shape[0], (top + bottom - side) / 2, side);
  const across = shares(ink.shape[1], (left + right - side) / 2, side);
  const bitmap = tf.matMul(tf.matMul(down, clear), across, false, true).as3D(fine, fine, 1);
  // A pixel that a stroke half fills, because it lies between two pixels, counts as full.
  const sharp = bitmap.div<tf.Tensor3D>(bitmap.max().mul(0.5)).minimum<tf.Tensor3D>(1);
  return tf.avgPool(tf.maxPool(sharp, missing + 1, 1, 'same'), 4, 4, 'valid');
}

/** Where the ink begins and ends. */
function extentOf(line: tf.Tensor): [from: number, to: number] {
  const values = line.dataSync();
  return [values.findIndex((value) => value > 0), values.findLastIndex((value) => value > 0) + 1];
}

/**
 * The share of each of `length` pixels in each of the equal parts of the stretch from `from` on. So no line is lost
 * when the picture gets smaller, however thin it is.
 */
function shares(length: number, from: number, side: number): tf.Tensor2D {
  const part = side / fine;
  const values = tf.buffer<tf.Rank.R2>([fine, length]);
  for (let i = 0; i < fine; i++) {
    const [begin, end] = [from + i * part, from + (i + 1) * part];
    for (let pixel = Math.max(0, Math.floor(begin)); pixel < Math.min(length, end); pixel++) {
      const covered = Math.min(end, pixel + 1) - Math.max(begin, pixel);
      if (covered > 0) values.set(covered / part, i, pixel);
    }
  }
  return values.toTensor();
}

/**
 * The thickness of the strokes, in pixels. The ink of a long stroke is its length times its thickness, and the edge is
 * twice its length.
 */
function thicknessOf(ink: tf.Tensor2D): number {
  const [height, width] = ink.shape;
  const padded = ink.pad([
    [1, 1],
    [1, 1],
  ]);
  const across = padded
    .slice([0, 1])
    .sub(padded.slice([0, 0], [-1, width + 1]))
    .abs()
    .sum();
  const down = padded
    .slice([1, 0])
    .sub(padded.slice([0, 0], [height + 1, -1]))
    .abs()
    .sum();
  // The edge is counted in steps to the side and down, of which there are 4 / π times as many on average.
  return ((8 / Math.PI) * (ink.sum().dataSync()[0] as number)) / (across.add(down).dataSync()[0] as number);
}
