#!/usr/bin/env python3
"""Makes the test models with operations that TensorFlow does not have, and their golden answers.

    pip install -r scripts/make_custom_models.requirements.txt
    python scripts/make_custom_models.py

test/operations/README.md says what each model is for. They are written and asked as those of make_models.py are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from make_models import (
    DEFAULT,
    ROOT,
    SERVE,
    Case,
    Model,
    f32,
    save,
    save_v1,
    size_of,
    strings,
    v1,
    vector,
    write_golden,
    write_model,
)

import numpy as np
import tensorflow as tf
import tensorflow_text as text
import ydf
from tensorflow.python.framework.function import Defun

VOCABULARY = (
    "[PAD] [UNK] [CLS] [SEP] the a cat dog sat on mat run ##s ##ning un ##happy ##ly is of small forest tree ##let "
    "serve ##r model . , ! größe"
).split()
TOKENS = 8


def wordpieces(path: Path) -> None:
    """Words to ids by a vocabulary of 30 words, an asset of the model; and the mean of their embeddings."""

    class WordPieces(tf.Module):
        def __init__(self, vocabulary: str):
            super().__init__()
            self.tokenizer = text.BertTokenizer(vocabulary, token_out_type=tf.int64, lower_case=True)
            values = np.arange(len(VOCABULARY) * 4, dtype=np.float32).reshape(-1, 4)
            self.embeddings = tf.Variable(values / 16)

        @tf.function(input_signature=[vector(tf.string, "text")])
        def predict(self, text):  # noqa: A002
            pieces = self.tokenizer.tokenize(text).merge_dims(-2, -1)
            ids = pieces.to_tensor(shape=[None, TOKENS])
            mask = tf.cast(ids != 0, tf.float32)[:, :, tf.newaxis]
            total = tf.reduce_sum(tf.gather(self.embeddings, ids) * mask, axis=1)
            return {"ids": ids, "embedding": total / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)}

    with TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "vocabulary.txt"
        vocabulary.write_text("\n".join(VOCABULARY) + "\n")
        model = WordPieces(str(vocabulary))
        save(model, path, {DEFAULT: model.predict})


def forest(path: Path) -> None:
    """Eight boosted trees over two numbers and a word; the forest itself lies in the model's assets."""
    random = np.random.RandomState(5)
    width, height = random.uniform(0, 4, 400).astype(np.float32), random.uniform(0, 4, 400).astype(np.float32)
    colour = random.choice(["red", "green", "blue"], 400)
    area = width * height + np.where(colour == "red", 2, 0)
    learner = ydf.GradientBoostedTreesLearner(
        label="area", task=ydf.Task.REGRESSION, num_trees=8, max_depth=4, validation_ratio=0.0, random_seed=1
    )
    data = {"width": width, "height": height, "colour": colour, "area": area.astype(np.float32)}
    learner.train(data, verbose=0).to_tensorflow_saved_model(str(path), mode="tf")


def unused(path: Path) -> None:
    """A tokenizer that no signature reaches: its function is in the file, and TensorFlow need not know the operation."""

    class Unused(tf.Module):
        def __init__(self):
            super().__init__()
            self.tokenizer = text.WhitespaceTokenizer()

        @tf.function(input_signature=[vector(tf.string, "text")])
        def words(self, text):  # noqa: A002
            return self.tokenizer.tokenize(text).to_tensor()

        @tf.function(input_signature=[vector(name="x")])
        def predict(self, x):
            return {"y": x + 1}

    model = Unused()
    model.words.get_concrete_function()
    save(model, path, {DEFAULT: model.predict.get_concrete_function()})


def named_function(path: Path) -> None:
    """A function whose name is the operation of the node that calls it, as TensorFlow 1 wrote them."""
    with tf.Graph().as_default(), v1.Session() as session:

        @Defun(tf.float32, func_name="HalfOf")
        def half_of(x):
            return x / 2

        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.identity(half_of(x), name="y")
        y.set_shape([None])
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})])


MODELS = {
    "wordpieces": Model(
        wordpieces,
        [
            Case("texts", {"text": strings(b"The cat sat on the mat.", b"Unhappily, the small dog runs!", b"")}),
            Case("not_ascii", {"text": strings("GRÖSSE größe 模型".encode(), b"treelets of servers")}),
        ],
    ),
    "forest": Model(
        forest,
        [
            Case(
                "three_rows",
                {"width": f32(1, 2, 3.5), "height": f32(3, 0.5, 3.25), "colour": strings(b"red", b"blue", b"pink")},
            ),
        ],
    ),
    "unused": Model(unused, [Case("two_rows", {"x": f32(1, -2)})]),
    "named_function": Model(named_function, [Case("two_rows", {"x": f32(1, -2)})]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the test models with custom operations and their golden answers.")
    parser.add_argument("--out", type=Path, default=ROOT / "test" / "operations")
    out = parser.parse_args().out.resolve()

    tf.get_logger().setLevel("ERROR")
    for name, model in MODELS.items():
        path = write_model(model, out / "models" / name)
        write_golden(name, model, path, out / "golden")
        print(f"{size_of(out / 'models' / name):8}  {name}  {len(model.cases)} golden", flush=True)


if __name__ == "__main__":
    main()
