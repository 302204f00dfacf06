"""Makes the models that the benchmarks run, into a folder outside the repository: they are too large to keep.

Weights are random with a fixed seed; what is measured is the work, not the answers.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402


class Mlp(tf.Module):
    """float32[-1, 6] → float32[-1, 7] through two layers of 64: as small as a policy gets."""

    def __init__(self) -> None:
        super().__init__()
        generator = tf.random.Generator.from_seed(1)
        self.weights = [tf.Variable(generator.normal(shape) * 0.1) for shape in ([6, 64], [64, 64], [64, 7])]

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name="state")])
    def predict(self, state):
        hidden = state
        for weights in self.weights[:-1]:
            hidden = tf.nn.relu(tf.matmul(hidden, weights))
        return {"action": tf.matmul(hidden, self.weights[-1])}


def mlp(path: Path) -> None:
    model = Mlp()
    tf.saved_model.save(model, str(path), signatures=model.predict)


class Policy(tf.Module):
    """float32[-1, 6] and uint8[-1, 480, 640, 3] → float32[-1, 7]: a robot's joints and camera, 922 kB a request."""

    def __init__(self) -> None:
        super().__init__()
        generator = tf.random.Generator.from_seed(2)
        shapes = [[8, 8, 3, 16], [4, 4, 16, 32], [32 + 6, 64], [64, 7]]
        self.weights = [tf.Variable(generator.normal(shape) * 0.05) for shape in shapes]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 6], tf.float32, name="state"),
            tf.TensorSpec([None, 480, 640, 3], tf.uint8, name="image"),
        ]
    )
    def predict(self, state, image):
        pixels = tf.cast(image, tf.float32) / 255
        for kernel, stride in zip(self.weights[:2], (8, 4)):
            pixels = tf.nn.relu(tf.nn.conv2d(pixels, kernel, stride, "SAME"))
        features = tf.concat([tf.reduce_mean(pixels, [1, 2]), state], 1)
        return {"action": tf.matmul(tf.nn.relu(tf.matmul(features, self.weights[2])), self.weights[3])}


def policy(path: Path) -> None:
    model = Policy()
    tf.saved_model.save(model, str(path), signatures=model.predict)


def null(path: Path) -> None:
    """float32[-1, 6] → the same: nothing but what the server itself costs."""
    model = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32, name="state")])
    def predict(state):
        return {"action": tf.identity(state)}

    tf.saved_model.save(model, str(path), signatures=predict)


def resnet50(path: Path) -> None:
    """float32[-1, 224, 224, 3] → float32[-1, 1000]; 25.6 million parameters, 102 MB."""
    keras.utils.set_random_seed(1)
    keras.applications.ResNet50(weights=None).export(str(path), verbose=False)


def mobilenet_v2(path: Path) -> None:
    """float32[-1, 224, 224, 3] → float32[-1, 1000]; 3.5 million parameters."""
    keras.utils.set_random_seed(1)
    keras.applications.MobileNetV2(weights=None, input_shape=(224, 224, 3)).export(str(path), verbose=False)


def encoder(path: Path) -> None:
    """int32[-1, 128] → float32[-1, 256]: a text's tokens through four layers of attention. 512 bytes of a request, and long runs."""
    keras.utils.set_random_seed(1)
    tokens = keras.Input([128], dtype="int32", name="tokens")
    x = keras.layers.Embedding(8192, 256)(tokens)
    for _ in range(4):
        attended = keras.layers.MultiHeadAttention(4, 64)(x, x)
        x = keras.layers.LayerNormalization()(x + attended)
        hidden = keras.layers.Dense(1024, activation="gelu")(x)
        x = keras.layers.LayerNormalization()(x + keras.layers.Dense(256)(hidden))
    keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(x)).export(str(path), verbose=False)


def elementwise(path: Path) -> None:
    """float32[-1, 65536] → the same by 24 operations on each element: what a compiler can make one loop of."""
    model = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 65536], tf.float32, name="x")])
    def predict(x):
        y = x
        for factor in (0.5, 0.25, 0.75, 1.25):
            y = tf.tanh(y * factor + 0.1) * tf.sigmoid(y) + tf.sqrt(tf.abs(y) + 1.0)
        return {"y": y}

    tf.saved_model.save(model, str(path), signatures=predict)


class Dense(tf.Module):
    """float32[-1, 1024] → float32[-1, 1024] through four layers, 17 MB of float32 or a quarter of that in int8."""

    def __init__(self, is_quantised: bool) -> None:
        super().__init__()
        generator = tf.random.Generator.from_seed(3)
        layers = [generator.normal([1024, 1024]) / 32 for _ in range(4)]
        self.scales = [tf.Variable(tf.reduce_max(tf.abs(layer), 0) / 127) for layer in layers]
        if is_quantised:
            layers = [tf.cast(tf.round(layer / scale), tf.int8) for layer, scale in zip(layers, self.scales)]
        self.weights = [tf.Variable(layer) for layer in layers]
        self.is_quantised = is_quantised

    @tf.function(input_signature=[tf.TensorSpec([None, 1024], tf.float32, name="x")])
    def predict(self, x):
        for weights, scale in zip(self.weights, self.scales):
            if self.is_quantised:
                x = tf.nn.relu(tf.matmul(x, tf.cast(weights, tf.float32)) * scale)
            else:
                x = tf.nn.relu(tf.matmul(x, weights))
        return {"y": x}


def dense(path: Path) -> None:
    model = Dense(is_quantised=False)
    tf.saved_model.save(model, str(path), signatures=model.predict)


def dense_int8(path: Path) -> None:
    model = Dense(is_quantised=True)
    tf.saved_model.save(model, str(path), signatures=model.predict)


def gigabyte(path: Path) -> None:
    """float32[-1, 4096] → float32[-1, 4096] through sixteen layers: 1.07 GB of weights."""
    model = tf.Module()
    generator = tf.random.Generator.from_seed(4)
    model.weights = [tf.Variable(generator.normal([4096, 4096]) / 64) for _ in range(16)]

    @tf.function(input_signature=[tf.TensorSpec([None, 4096], tf.float32, name="x")])
    def predict(x):
        for weights in model.weights:
            x = tf.nn.relu(tf.matmul(x, weights))
        return {"y": x}

    tf.saved_model.save(model, str(path), signatures=predict)


BUILDERS = [null, mlp, policy, resnet50, mobilenet_v2, encoder, elementwise, dense, dense_int8]
LARGE_BUILDERS = [gigabyte]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--large", action="store_true", help="make those that fill a disk, too")
    arguments = parser.parse_args()
    for build in BUILDERS + (LARGE_BUILDERS if arguments.large else []):
        name = build.__name__
        path = arguments.out / name / "1"
        if (path / "saved_model.pb").exists():
            continue
        build(path.with_name(".1"))
        path.with_name(".1").rename(path)
        print(f"made {name}", flush=True)


if __name__ == "__main__":
    main()
