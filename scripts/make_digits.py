#!/usr/bin/env python3
"""Trains the digit classifiers of examples/digits, and prints how many digits of a held-out set they know.

    pip install -r scripts/make_digits.requirements.txt
    python scripts/make_digits.py

The digits are those that come with scikit-learn: 1797, written by hand, of 8 x 8 pixels with 17 shades each, which count the ink
in blocks of 4 x 4 pixels of a bitmap of 32 x 32. What people draw on a screen is thinner, thicker, and more slanted. So
version 1 learns from digits that are turned, slanted, thickened and thinned, and framed as the handler frames a drawing.
Version 2 learns from the digits as they are: it is as good at those, and worse at drawings. That is what a roll-back is for.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
ROOT = Path(__file__).resolve().parent.parent

import numpy as np
import tensorflow as tf
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SIZE = 8
FINE = 4 * SIZE
SEED = 7
EPOCHS = 30
BATCH = 128


class Digits(tf.Module):
    """Two convolutions and two dense layers, 15,386 weights."""

    def __init__(self, random: np.random.RandomState):
        super().__init__()

        def weights(*shape: int) -> tf.Variable:
            fan_in = np.prod(shape[:-1])
            return tf.Variable((random.randn(*shape) * np.sqrt(2 / fan_in)).astype(np.float32))

        def zeros(size: int) -> tf.Variable:
            return tf.Variable(np.zeros(size, np.float32))

        self.conv1, self.bias1 = weights(3, 3, 1, 12), zeros(12)
        self.conv2, self.bias2 = weights(3, 3, 12, 24), zeros(24)
        self.dense, self.bias3 = weights(SIZE // 2 * SIZE // 2 * 24, 32), zeros(32)
        self.head, self.bias4 = weights(32, 10), zeros(10)

    def logits(self, image: tf.Tensor, keep: float = 1.0) -> tf.Tensor:
        x = tf.nn.relu(tf.nn.conv2d(image, self.conv1, 1, "SAME") + self.bias1)
        x = tf.nn.relu(tf.nn.conv2d(x, self.conv2, 1, "SAME") + self.bias2)
        x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID"), [-1, self.dense.shape[0]])
        if keep < 1:
            x = tf.nn.dropout(x, 1 - keep)
        x = tf.nn.relu(tf.matmul(x, self.dense) + self.bias3)
        return tf.matmul(x, self.head) + self.bias4

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.float32, "image")])
    def classify(self, image):
        return {"probabilities": tf.nn.softmax(self.logits(image))}


def frame(ink: np.ndarray) -> np.ndarray:
    """The ink's square of FINE x FINE in the middle of SIZE x SIZE, as the handler has it."""
    rows, columns = np.nonzero(ink.max(1) > 0.5)[0], np.nonzero(ink.max(0) > 0.5)[0]
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    scale = side / FINE
    middle = np.array([rows[0] + rows[-1], columns[0] + columns[-1]]) / 2
    framed = ndimage.affine_transform(ink, np.eye(2) * scale, middle - scale * (FINE - 1) / 2, (FINE, FINE), order=1)
    return framed.clip(0, 1).reshape(SIZE, 4, SIZE, 4).mean((1, 3))


def drawn(digit: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """A digit as another hand might draw it: turned, slanted, wider or narrower, thicker or thinner."""
    fine = np.pad(ndimage.zoom(digit, 4, order=1, grid_mode=True, mode="grid-constant"), 6)
    turn, slant = random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)
    width = random.uniform(0.8, 1.25)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, 0], [slant, width]])
    middle = (np.array(fine.shape) - 1) / 2
    moved = ndimage.affine_transform(fine, matrix, middle - matrix @ middle, order=1)
    # The threshold for the edge decides how thick the strokes are.
    edge = random.uniform(0.25, 0.65)
    ink = ((moved / max(moved.max(), 1e-6) - edge) * 4 + 0.5).clip(0, 1)
    return frame(ink)


def train(images: np.ndarray, labels: np.ndarray, epochs: int, keep: float) -> Digits:
    """Adam with a rate that falls to nothing."""
    tf.random.set_seed(SEED)
    random = np.random.RandomState(SEED)
    model = Digits(random)
    variables = model.trainable_variables
    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]

    @tf.function
    def step(x, y, rate, count):
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model.logits(x, keep))
            loss = tf.reduce_mean(loss)
        for variable, gradient, (mean, square) in zip(variables, tape.gradient(loss, variables), moments):
            mean.assign(0.9 * mean + 0.1 * gradient)
            square.assign(0.999 * square + 0.001 * gradient**2)
            towards = mean / (1 - 0.9**count)
            variable.assign_sub(rate * towards / (tf.sqrt(square / (1 - 0.999**count)) + 1e-7))

    steps = epochs * (len(images) // BATCH)
    done = 0
    for _ in range(epochs):
        order = random.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            rate = 0.003 * (1 - done / steps)
            done += 1
            step(images[rows], labels[rows], tf.constant(rate, tf.float32), tf.constant(done, tf.float32))
    return model


def accuracy(model: Digits, images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(model.classify(images)["probabilities"].numpy().argmax(1) == labels))


def save(model: Digits, folder: Path) -> int:
    """Write into a fresh folder without what no loader reads. Returns the bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = tf.saved_model.SaveOptions(save_debug_info=False)
    tf.saved_model.save(model, str(folder), {"serving_default": model.classify}, options)
    # It holds a random id, and would differ after every run.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    if (folder / "assets").is_dir():
        (folder / "assets").rmdir()
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the digit classifiers of examples/digits.")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "digits")
    parser.add_argument("--copies", type=int, default=12, help="drawn copies of each digit that version 1 learns from")
    arguments = parser.parse_args()

    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    digits, labels = load_digits(return_X_y=True)
    digits = (digits / 16).astype(np.float32).reshape(-1, SIZE, SIZE)
    known, held_out, known_labels, held_out_labels = train_test_split(
        digits, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    random = np.random.RandomState(SEED)
    copies = [drawn(digit, random) for _ in range(arguments.copies) for digit in known]
    redrawn = np.array([drawn(digit, random) for digit in held_out], np.float32)[..., None]
    many = np.concatenate([known, np.array(copies, np.float32)])[..., None]
    many_labels = np.tile(known_labels, arguments.copies + 1)

    versions = [
        (1, Path("models", "digits", "1"), train(many, many_labels, epochs=EPOCHS // 2, keep=0.8)),
        (2, Path("version-2"), train(known[..., None], known_labels, epochs=EPOCHS, keep=1.0)),
    ]
    for version, place, model in versions:
        size = save(model, arguments.out.resolve() / place)
        right = accuracy(model, held_out[..., None], held_out_labels)
        right_redrawn = accuracy(model, redrawn, held_out_labels)
        print(
            f"version {version}: {right:.4f} of {len(held_out)} held-out digits, "
            f"{right_redrawn:.4f} of them redrawn, {size} bytes in {place}",
            flush=True,
        )


if __name__ == "__main__":
    main()
