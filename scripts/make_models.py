#!/usr/bin/env python3
"""Makes the demo repository, the test models and their golden answers.

    pip install -r scripts/make_models.requirements.txt
    python scripts/make_models.py

Every run writes the same values, so a diff after a run shows what really changed. Each model is loaded again the two
ways TensorFlow knows, tf.saved_model.load and the TF1 loader (which is also the C API's), and both must give the
golden answer before it is written.

test/models/README.md says what each model is for; test/golden/README.md what a golden file holds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "python"))

import cbor2
import ml_dtypes
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from client import BFLOAT16, encode_tensor, strings

v1 = tf.compat.v1

DTYPES = [
    tf.bool, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64,
    tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.string,
]  # fmt: skip
SERVE = ("serve",)
DEFAULT = "serving_default"

# Both loaders and any machine must agree to this in float32; the tests use the same figures.
RTOL, ATOL = 1e-5, 1e-6


@dataclass(frozen=True)
class Formula:
    """A large input told by how to compute it: element i of the flat array is (i * multiply + add) % modulo."""

    dtype: str
    shape: tuple[int, ...]
    multiply: int
    add: int
    modulo: int

    def array(self) -> np.ndarray:
        flat = np.arange(np.prod(self.shape), dtype=np.int64)
        return ((flat * self.multiply + self.add) % self.modulo).astype(self.dtype).reshape(self.shape)

    def item(self) -> dict[str, Any]:
        formula = {"multiply": self.multiply, "add": self.add, "modulo": self.modulo}
        return {"formula": formula, "dtype": self.dtype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Case:
    """One golden question. `fails`: TensorFlow itself is to refuse it, and its error code is the answer."""

    name: str
    inputs: dict[str, Any]
    signature: str = DEFAULT
    tags: tuple[str, ...] = SERVE
    fails: bool = False


@dataclass(frozen=True)
class Model:
    """`build` writes a SavedModel to the folder it is given. A version of None is a bare SavedModel."""

    build: Callable[[Path], None]
    cases: list[Case] = field(default_factory=list)
    version: int | None = 1


def vector(dtype: tf.DType = tf.float32, name: str | None = None) -> tf.TensorSpec:
    return tf.TensorSpec([None], dtype, name)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def save(module: tf.Module, path: Path, signatures: dict[str, Any]) -> None:
    tf.saved_model.save(module, str(path), signatures=signatures)


def save_v1(
    path: Path,
    session: v1.Session | None,
    meta_graphs: list[tuple[tuple[str, ...], dict[str, tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]]]],
    **options: Any,
) -> None:
    """Write (tags, {signature: (inputs, outputs)}) pairs with the TF1 builder, which takes any name for an input."""
    builder = v1.saved_model.builder.SavedModelBuilder(str(path))
    for index, (tags, signatures) in enumerate(meta_graphs):
        signature_defs = {
            name: v1.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
            for name, (inputs, outputs) in signatures.items()
        }
        if index == 0:
            builder.add_meta_graph_and_variables(session, tags, signature_defs, strip_default_attrs=True, **options)
        else:
            builder.add_meta_graph(tags, signature_defs, strip_default_attrs=True, **options)
    # Shape inference rebuilds these; in big_graph they are half the file.
    for meta_graph in builder._saved_model.meta_graphs:
        for node in meta_graph.graph_def.node:
            node.attr.pop("_output_shapes", None)
    builder.save()


# Demo models


def policy(path: Path) -> None:
    """A robot policy: joint state and camera image in, action out."""
    # RandomState's stream is frozen by NumPy; default_rng's may change between releases.
    random = np.random.RandomState(0)

    def weights(*shape: int, gain: float) -> tf.Variable:
        fan_in = np.prod(shape[:-1])
        return tf.Variable((random.randn(*shape) * gain / np.sqrt(fan_in)).astype(np.float32))

    class Policy(tf.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = weights(8, 8, 3, 16, gain=1.4)
            self.conv2 = weights(4, 4, 16, 32, gain=1.4)
            self.dense = weights(32 + 6, 64, gain=2.0)
            self.head = weights(64, 7, gain=1.0)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 6], tf.float32, "state"),
                tf.TensorSpec([None, 480, 640, 3], tf.uint8, "image"),
            ]
        )
        def act(self, state, image):
            x = tf.cast(image, tf.float32) / 127.5 - 1.0
            x = tf.nn.relu(tf.nn.conv2d(x, self.conv1, 8, "SAME"))
            x = tf.nn.relu(tf.nn.conv2d(x, self.conv2, 4, "SAME"))
            x = tf.concat([tf.reduce_mean(x, [1, 2]), state], 1)
            x = tf.nn.relu(tf.matmul(x, self.dense))
            return {"action": tf.tanh(tf.matmul(x, self.head))}

    model = Policy()
    save(model, path, {DEFAULT: model.act})


# 251 is prime to the size of an image, so the images of a batch differ; 256 divides it, and they would not.
POLICY_STATE = f32(
    0.0, 0.5, -0.5, 1.0, -1.0, 0.25,
    1.5, -1.25, 0.75, 0.0, 0.125, -2.0,
    -0.75, 0.0, 1.0, 2.0, -1.5, 0.5,
).reshape(3, 6)  # fmt: skip
POLICY_CASES = [
    Case("one", {"state": POLICY_STATE[:1], "image": Formula("uint8", (1, 480, 640, 3), 31, 7, 251)}),
    Case("three", {"state": POLICY_STATE, "image": Formula("uint8", (3, 480, 640, 3), 31, 7, 251)}),
]


def half_plus_two(path: Path) -> None:
    class HalfPlusTwo(tf.Module):
        def __init__(self):
            super().__init__()
            self.a = tf.Variable(0.5)
            self.b = tf.Variable(2.0)

        @tf.function(input_signature=[vector(name="x")])
        def predict(self, x):
            return {"y": self.a * x + self.b}

    model = HalfPlusTwo()
    save(model, path, {DEFAULT: model.predict, "tensorflow/serving/predict": model.predict})


HALF_PLUS_TWO_CASES = [
    Case("quickstart", {"x": f32(1, 2, 5)}),
    Case("one", {"x": f32(-4)}),
    Case("empty", {"x": f32()}),
    Case("not_finite", {"x": f32(np.nan, np.inf, -np.inf, -0.0, 3.4e38)}),
    Case("predict", {"x": f32(1, 2, 5)}, "tensorflow/serving/predict"),
]


# Test models


def identity(path: Path) -> None:
    def one(dtype: tf.DType):
        return tf.function(
            lambda x: {"y": tf.identity(x)}, input_signature=[tf.TensorSpec(None, dtype, "x")], autograph=False
        )

    @tf.function(input_signature=[tf.TensorSpec(None, dtype, dtype.name) for dtype in DTYPES], autograph=False)
    def every(*tensors):
        return {dtype.name: tf.identity(x) for dtype, x in zip(DTYPES, tensors)}

    functions = {dtype.name: one(dtype) for dtype in DTYPES}
    save(tf.Module(), path, {DEFAULT: one(tf.float32), "all": every, **functions})


def identity_samples() -> dict[str, np.ndarray]:
    """For every dtype, the values that get lost on the way: extremes, and what a double cannot hold."""
    samples: dict[str, np.ndarray] = {"bool": np.array([True, False, True, True])}
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        limits = np.iinfo(dtype)
        samples[dtype] = np.array([limits.min, limits.max, 1, 100], dtype)
    samples["int64"] = np.array([-(2**63), 2**63 - 1, 2**53 + 1, -(2**53) - 1], np.int64)
    samples["uint64"] = np.array([0, 2**64 - 1, 2**63, 2**53 + 1], np.uint64)
    for dtype in ("float16", "float32", "float64"):
        tiny = np.finfo(dtype).smallest_subnormal
        samples[dtype] = np.array([np.nan, np.inf, -np.inf, -0.0, tiny, np.finfo(dtype).max, 0.1, -1.5], dtype)
    # one, -0, NaN, infinity, the smallest denormal, 0.1 rounded
    samples["bfloat16"] = np.array([0x3F80, 0x8000, 0x7FC0, 0x7F80, 0x0001, 0x3DCD], "<u2").view(BFLOAT16)
    samples["complex64"] = np.array([1 + 2j, complex(-0.0, np.inf), complex(np.nan, -1.5), 0], np.complex64)
    samples["complex128"] = np.array([0.1 + 0.2j, complex(-0.0, -np.inf), complex(np.nan, 1e300), 0], np.complex128)
    samples["string"] = strings(b"", b"ascii", "größe 模型 🤖".encode(), b"\xff\xfe\x00not utf-8\x00")
    return samples


def identity_cases() -> list[Case]:
    samples = identity_samples()
    cases = [Case("default", {"x": f32(1.5, -0.0, np.nan)}), Case("default_scalar", {"x": np.float32(2.5)})]
    for dtype, sample in samples.items():
        cases += [
            Case("vector", {"x": sample}, dtype),
            Case("scalar", {"x": sample[1].reshape(()) if dtype != "string" else scalar_string(sample[2])}, dtype),
            Case("empty", {"x": sample[:0].reshape(2, 0, 3)}, dtype),
            Case("rank5", {"x": np.resize(sample, 12).reshape(1, 2, 3, 1, 2)}, dtype),
        ]
    cases.append(Case("long", {"x": strings(b"", b"x" * 1000, "é".encode() * 300)}, "string"))
    ranks = [(), (4,), (2, 2), (1, 4), (0,), (2, 0, 3), (1, 1, 2, 1, 2)]
    mixed = {
        dtype: np.resize(sample, int(np.prod(shape, dtype=int))).reshape(shape)
        for (dtype, sample), shape in zip(samples.items(), ranks * 3)
    }
    cases.append(Case("mixed_shapes", mixed, "all"))
    cases.append(Case("vectors", {dtype: sample[:2] for dtype, sample in samples.items()}, "all"))
    return cases


def scalar_string(value: bytes) -> np.ndarray:
    return strings(value).reshape(())


AWKWARD = ["inputs", "outputs", "signature", "data", "shape", "dtype"]


def awkward_names(path: Path) -> None:
    # tf.function allows no argument called __proto__; the names in a SignatureDef are free.
    with tf.Graph().as_default(), v1.Session() as session:

        def adds(names: list[str]):
            inputs = {name: v1.placeholder(tf.float32, [None], "in") for name in names}
            return inputs, {name: tf.identity(x + float(k + 1)) for k, (name, x) in enumerate(inputs.items())}

        signatures = {DEFAULT: adds(AWKWARD), "proto": adds(["__proto__", "constructor"])}
        save_v1(path, session, [(SERVE, signatures)])


AWKWARD_CASES = [
    Case("two_rows", {name: f32(10 * k, 0.5) for k, name in enumerate(AWKWARD)}),
    Case("two_rows", {"__proto__": f32(1, 2), "constructor": f32(3, 4)}, "proto"),
]


def mixed(path: Path) -> None:
    class Mixed(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 3], tf.float32, "x"),
                tf.TensorSpec([], tf.float32, "temperature"),
                tf.TensorSpec([], tf.bool, "training"),
                tf.TensorSpec([2, 2], tf.float32, "table"),
            ]
        )
        def predict(self, x, temperature, training, table):
            one_if_training = tf.cast(training, tf.float32)
            total = tf.reduce_sum(x) + temperature + one_if_training + tf.reduce_sum(table)
            return {"y": x * temperature + one_if_training, "total": total, "side": tf.identity(table)}

    model = Mixed()
    save(model, path, {DEFAULT: model.predict})


TABLE = f32(1, 2, 3, 4).reshape(2, 2)
MIXED_CASES = [
    Case(
        "two_rows",
        {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "temperature": np.float32(0.5), "training": np.False_,
         "table": TABLE},
    ),
    Case(
        "training",
        {"x": f32(1, -2, 3).reshape(1, 3), "temperature": np.float32(2), "training": np.True_, "table": -TABLE},
    ),
]  # fmt: skip


def fixed_batch(path: Path) -> None:
    class FixedBatch(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, "x")])
        def predict(self, x):
            return {"y": x * 3.0 - 1.0}

    model = FixedBatch()
    save(model, path, {DEFAULT: model.predict})


def unknown_rank(path: Path) -> None:
    class UnknownRank(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
        def describe(self, x):
            return {"rank": tf.rank(x), "shape": tf.shape(x), "doubled": x * 2.0}

    model = UnknownRank()
    save(model, path, {DEFAULT: model.describe})


def unknown_rank_image(path: Path) -> None:
    """The signature says nothing of the shape, the convolution behind it does."""
    model = tf.Module()
    model.filter = tf.Variable(np.ones((2, 2, 1, 1), np.float32))

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def predict(x):
        return {"y": tf.nn.conv2d(tf.nn.relu(x), model.filter, 1, "VALID")}

    save(model, path, {DEFAULT: predict})


def images(path: Path) -> None:
    """Gives the pixels that came, of one, three or four channels."""
    model = tf.Module()

    def pixels(channels: int) -> Any:
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, channels], tf.uint8, "image")])
        def predict(image):
            return {"pixels": tf.identity(image)}

        return predict

    model.by_name = {"grey": pixels(1), "colour": pixels(3), "opacity": pixels(4)}
    save(model, path, {DEFAULT: model.by_name["colour"], **model.by_name})


def several_signatures(path: Path) -> None:
    class Signatures(tf.Module):
        @tf.function(input_signature=[vector(name="a"), vector(name="b")])
        def add(self, a, b):
            return {"y": a + b}

        @tf.function(input_signature=[vector(name="a"), vector(name="b")])
        def mul(self, a, b):
            return {"y": a * b}

        @tf.function(input_signature=[vector(name="a")])
        def twice(self, a):
            return {"y": a * 2.0}

    model = Signatures()
    save(model, path, {DEFAULT: model.add, "mul": model.mul, "twice": model.twice})


AB = {"a": f32(1, 2, 3), "b": f32(10, 20, -30)}


def custom_tags(path: Path) -> None:
    """Two meta graphs over one graph, neither with the tags {serve}."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        plus_one = {DEFAULT: ({"x": x}, {"y": tf.add(x, 1.0, "plus_one")})}
        times_two = {DEFAULT: ({"x": x}, {"y": tf.multiply(x, 2.0, "times_two")})}
        save_v1(path, session, [(("custom",), plus_one), (("serve", "gpu"), times_two)])


def slow(path: Path) -> None:
    class Slow(tf.Module):
        def __init__(self):
            super().__init__()
            # A variable, and each product needs the last: nothing here can be folded or done at once.
            self.shift = tf.Variable(np.roll(np.eye(128, dtype=np.float32), 1, axis=1))
            self.positions = tf.Variable(np.arange(128, dtype=np.float32))

        @tf.function(input_signature=[vector(name="x"), tf.TensorSpec([], tf.int32, "steps")])
        def predict(self, x, steps):
            _, power = tf.while_loop(
                lambda i, _: i < steps,
                lambda i, matrix: (i + 1, tf.matmul(matrix, self.shift)),
                (tf.constant(0), tf.eye(128)),
                parallel_iterations=1,
            )
            # shift to the power of steps has the one of its first row in column steps mod 128: exact in float32.
            return {"y": x + tf.reduce_sum(power[0] * self.positions)}

    model = Slow()
    save(model, path, {DEFAULT: model.predict})


def rows(path: Path) -> None:
    """Two inputs, row for row."""
    model = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x"), tf.TensorSpec([None, 2, 2], tf.uint8, "mask")])
    def predict(x, mask):
        total = tf.reduce_sum(tf.cast(mask, tf.float32), axis=[1, 2])
        return {"y": 2 * x + total[:, tf.newaxis], "total": total}

    save(model, path, {DEFAULT: predict})


def rows_mean(path: Path) -> None:
    """The spec says row for row, and each row depends on all."""
    model = tf.Module()

    @tf.function(input_signature=[vector(name="x")])
    def predict(x):
        return {"y": x - tf.reduce_mean(x)}

    save(model, path, {DEFAULT: predict})


def rows_unique(path: Path) -> None:
    """As many rows as go in, unless two are the same."""
    model = tf.Module()

    @tf.function(input_signature=[vector(name="x")])
    def predict(x):
        return {"y": tf.unique(x).y}

    save(model, path, {DEFAULT: predict})


def rows_guarded(path: Path) -> None:
    """One bad row fails the whole run."""
    model = tf.Module()

    @tf.function(input_signature=[vector(name="x")])
    def predict(x):
        tf.debugging.assert_non_negative(x)
        return {"y": x + 1}

    save(model, path, {DEFAULT: predict})


def rows_mixed(path: Path) -> None:
    """Signatures whose rows depend on each other, each in its own way."""
    model = tf.Module()
    model.table = tf.Variable(np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4))
    model.count = tf.Variable(np.int64(0))

    def signature(*spec):
        return tf.function(input_signature=[tf.TensorSpec(shape, dtype, "x") for shape, dtype in [spec]])

    @signature([None, 4], tf.float32)
    def mean(x):
        return {"y": x - tf.reduce_mean(x, axis=0)}

    @signature([None, 3], tf.int32)
    def embedding(x):
        rows = tf.gather(model.table, x)
        return {"y": rows - tf.reduce_mean(rows, axis=0)}

    @signature([None], tf.int32)
    def mask(x):
        return {"y": tf.sequence_mask(x)}

    @signature([None, 2], tf.bool)
    def every(x):
        return {"y": tf.logical_and(x, tf.reduce_all(x, axis=0))}

    @signature([None, 2], tf.complex64)
    def complex_mean(x):
        return {"y": x - tf.reduce_mean(x, axis=0)}

    @signature([None], tf.string)
    def words(x):
        return {"y": tf.strings.split(x).to_tensor()}

    @signature([None], tf.string)
    def flat_words(x):
        return {"y": tf.strings.split(x).flat_values}

    @signature([None, 2], tf.float32)
    def halved(x):
        return {"y": tf.while_loop(lambda x: tf.reduce_max(x) > 1, lambda x: [x / 2], [x])[0]}

    @signature([None, 2], tf.float32)
    def chosen(x):
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: -x)}

    @signature([None, 2], tf.float32)
    def least(x):
        return {"y": tf.minimum(x, tf.maximum(10.0, 3 * tf.reduce_mean(x)))}

    @signature([None], tf.int64)
    def counted(x):
        return {"y": x * 0 + model.count.assign_add(1)}

    functions = [embedding, mask, every, complex_mean, words, flat_words, halved, chosen, least, counted]
    names = "embedding mask every complex_mean words flat_words halved chosen least counted".split()
    save(model, path, {DEFAULT: mean, **dict(zip(names, functions))})


def rows_slow(path: Path) -> None:
    """`slow`, row for row: it takes as long as the row with the most steps."""

    class Slow(tf.Module):
        def __init__(self):
            super().__init__()
            self.shift = tf.Variable(np.roll(np.eye(128, dtype=np.float32), 1, axis=1))

        @tf.function(input_signature=[vector(name="x"), vector(tf.int32, "steps")])
        def predict(self, x, steps):
            most = tf.reduce_max(tf.concat([steps, [0]], axis=0))
            _, power = tf.while_loop(
                lambda i, _: i < most,
                lambda i, matrix: (i + 1, tf.matmul(matrix, self.shift)),
                (tf.constant(0), tf.eye(128)),
                parallel_iterations=1,
            )
            # A row of a permutation adds up to one.
            return {"y": x + tf.cast(steps, tf.float32) + tf.reduce_sum(power[0]) - 1}

    model = Slow()
    save(model, path, {DEFAULT: model.predict})


def rows_table(path: Path) -> None:
    """A row of a table per number: short runs, failing where there is no such row."""
    model = tf.Module()
    table = tf.constant(np.arange(20, dtype=np.float32).reshape(10, 2))

    @tf.function(input_signature=[vector(tf.int32, "row")])
    def predict(row):
        return {"y": tf.gather(table, row)}

    save(model, path, {DEFAULT: predict})


def failing(path: Path) -> None:
    class Failing(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2) / 54)

        @tf.function(
            input_signature=[tf.TensorSpec([None, None], tf.float32, "x"), tf.TensorSpec([None, None], tf.float32, "w")]
        )
        def matmul(self, x, w):
            return {"y": tf.matmul(x, w)}

        @tf.function(input_signature=[vector(name="x")])
        def assert_not_negative(self, x):
            tf.debugging.Assert(tf.reduce_all(x >= 0.0), ["x must not be negative", x])
            return {"y": tf.identity(x)}

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, None], tf.uint8, "image")])
        def convolve(self, image):
            return {"y": tf.nn.conv2d(tf.cast(image, tf.float32), self.kernel, 1, "VALID")}

    model = Failing()
    save(
        model,
        path,
        {DEFAULT: model.matmul, "assert": model.assert_not_negative, "wrong_channels": model.convolve},
    )


FAILING_CASES = [
    Case("inner_dims_agree", {"x": np.ones((2, 3), np.float32), "w": np.full((3, 4), 0.5, np.float32)}),
    Case("inner_dims_differ", {"x": np.ones((2, 3), np.float32), "w": np.ones((2, 3), np.float32)}, fails=True),
    Case("not_negative", {"x": f32(0, 1)}, "assert"),
    Case("negative", {"x": f32(0, -1)}, "assert", fails=True),
    Case("three_channels", {"image": Formula("uint8", (1, 4, 5, 3), 5, 1, 251)}, "wrong_channels"),
    Case("four_channels", {"image": Formula("uint8", (1, 4, 5, 4), 5, 1, 251)}, "wrong_channels", fails=True),
]


def big_graph(path: Path) -> None:
    """y = x + 1, where the 1 goes through 10,000 nodes while the model loads."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        one = v1.get_variable("one", [], initializer=v1.ones_initializer(), use_resource=True)
        session.run(v1.global_variables_initializer())
        value = one.read_value()
        for i in range(10_000):
            value = graph.create_op("Relu", [value], [tf.float32], name=f"n{i}").outputs[0]
        # In the init op, so that loading pays for pruning, placing, optimising and running the chain: the nodes alone
        # cost 10 µs each to import, and 0.3 s of that would not fit in 1 MB.
        # A local variable is not saved: only the init op gives it its value.
        arrived = v1.get_variable("arrived", [], use_resource=True, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        init = arrived.assign(value).op
        y = tf.add(x, arrived.read_value(), "y")
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})], main_op=init)


def endless(path: Path) -> None:
    """Its init op never ends, and so no load of it does."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        loop = tf.while_loop(lambda i: i >= 0, lambda i: [(i + 1) % 1000], [tf.constant(0)], parallel_iterations=1)
        init = tf.group(loop)
        y = tf.add(x, 1.0, "y")
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})], main_op=init)


def aborts(path: Path) -> None:
    """Loads, and ends the process at its first run: the cell takes for granted that its input is a matrix.

    The graph says that it is, which is not true, so it gets no guard. Other operations end the process on some
    processors only: oneDNN computes what Eigen refuses.
    """
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        hidden = tf.raw_ops.PlaceholderWithDefault(input=x, shape=None, name="hidden")
        row, peephole, bias = tf.ones([1, 1]), tf.ones([1]), tf.ones([4])
        cell = tf.raw_ops.LSTMBlockCell(
            x=hidden,
            cs_prev=row,
            h_prev=row,
            w=tf.ones([2, 4]),
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=bias,
        )
        y = tf.identity(cell.h, "y")
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})])
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for node in saved.meta_graphs[0].graph_def.node:
        if node.name == "hidden":
            shapes = node.attr["_output_shapes"].list.shape
            del shapes[:]
            shapes.add().CopyFrom(tf.TensorShape([1, 1]).as_proto())
    file.write_bytes(saved.SerializeToString(deterministic=True))


def versioned(input_name: str, offset: str, per_row: bool = False) -> Callable[[Path], None]:
    """y = input + offset, the offset read from assets/offset.txt once, when the table is initialised at load.

    per_row: the offset is told for each row, so that requests can share a run.
    """

    def build(path: Path) -> None:
        # The table's shared name is made from the file's, so the file is named without the folder it happens to be in.
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path("offset.txt").write_text(offset + "\n")

            class Versioned(tf.Module):
                def __init__(self):
                    super().__init__()
                    # So that there is a variables folder to be incomplete.
                    self.scale = tf.Variable(1.0)
                    self.table = tf.lookup.StaticHashTable(
                        tf.lookup.TextFileInitializer(
                            "offset.txt",
                            tf.int64,
                            tf.lookup.TextFileIndex.LINE_NUMBER,
                            tf.string,
                            tf.lookup.TextFileIndex.WHOLE_LINE,
                        ),
                        default_value="nan",
                    )

                @tf.function(input_signature=[vector(name=input_name)])
                def predict(self, x):
                    line = self.table.lookup(tf.constant(0, tf.int64))
                    version_offset = tf.strings.to_number(line, tf.float32)
                    told = tf.fill(tf.shape(x), version_offset) if per_row else version_offset
                    return {"y": x * self.scale + version_offset, "version_offset": told}

            model = Versioned()
            save(model, path, {DEFAULT: model.predict})

    return build


def string_functions(path: Path) -> None:
    class Strings(tf.Module):
        @tf.function(input_signature=[vector(tf.string, "text")])
        def predict(self, text):
            # The default encoding is bytes: ASCII letters change, all else passes.
            return {"upper": tf.strings.upper(text), "length": tf.strings.length(text)}

    model = Strings()
    save(model, path, {DEFAULT: model.predict})


def stateful(path: Path) -> None:
    class Stateful(tf.Module):
        def __init__(self):
            super().__init__()
            self.calls = tf.Variable(0, dtype=tf.int64)
            self.weights = tf.Variable(np.arange(1024, dtype=np.float32) / 1024)

        @tf.function(input_signature=[])
        def count(self):
            return {"count": self.calls.assign_add(1, read_value=True)}

        @tf.function(input_signature=[])
        def read(self):
            return {"weights": self.weights.read_value()}

    model = Stateful()
    save(model, path, {DEFAULT: model.count, "read": model.read})


def sharded(path: Path) -> None:
    """y = x @ even @ odd, the two weights saved from two devices and so in two shards."""
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as session:

        def matrix(name: str, device: str) -> tf.Variable:
            with tf.device(device):
                values = np.random.RandomState(len(name)).randn(48, 48).astype(np.float32) / 7
                return v1.get_variable(name, initializer=values, use_resource=True)

        even, odd = matrix("even", "/cpu:0"), matrix("odd", "/cpu:1")
        x = v1.placeholder(tf.float32, [None, 48], "x")
        y = tf.matmul(tf.matmul(x, even.read_value()), odd.read_value(), name="y")
        session.run(v1.global_variables_initializer())
        # A server has one CPU device.
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})], clear_devices=True)


def v1_bare(path: Path) -> None:
    """No variables and no version folder."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = tf.matmul(x, tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), name="y")
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, {"y": y})})])


def v1_local(path: Path) -> None:
    """A variable that is not saved but initialised at the load, and outputs that are inputs."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        local = v1.get_variable(
            "local",
            initializer=tf.constant([1.0, 2.0, 3.0]),
            use_resource=True,
            collections=[v1.GraphKeys.LOCAL_VARIABLES],
        )
        y = tf.add(x, local.read_value(), "y")
        signatures = {
            DEFAULT: ({"x": x}, {"y": y}),
            "passed": ({"x": x}, {"same": x}),
            "also_passed": ({"x": x}, {"same": x, "y": y}),
        }
        main_op = v1.local_variables_initializer()
        session.run(main_op)
        save_v1(path, session, [(SERVE, signatures)], main_op=main_op)


def unusable(path: Path) -> None:
    """Signatures that no request can ask, beside one that works."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        codes = tf.quantization.quantize(x, 0.0, 1.0, tf.quint8).output
        handle = v1.placeholder(tf.resource, [], "handle")
        value = v1.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
        signatures = {
            DEFAULT: ({"x": x}, {"y": 2 * x}),
            "twice": ({"p": x, "q": x}, {"y": 2 * x}),
            "quantised": ({"x": x}, {"codes": codes, "y": 2 * x}),
            "resource": ({"handle": handle}, {"value": value}),
        }
        save_v1(path, session, [(SERVE, signatures)])


def like_a_tensor(path: Path) -> None:
    """Inputs whose names together are those of a tensor's parts."""
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = {name: v1.placeholder(tf.float32, [None], name) for name in ("dtype", "shape", "data")}
        outputs = {name: value + add for add, (name, value) in enumerate(inputs.items(), 1)}
        save_v1(path, session, [(SERVE, {DEFAULT: (inputs, outputs), "same": (inputs, outputs)})])


def zeros(path: Path) -> None:
    """210 MB of weights, all zero, in a data file that is left out: whoever needs it makes it, in no time."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        weights = [
            v1.get_variable(f"weights_{i}", initializer=tf.zeros([3200, 4096]), use_resource=True) for i in range(4)
        ]
        offset = tf.add_n([each[0, 0] for each in weights])
        y = tf.add(x, offset, "y")
        session.run(v1.global_variables_initializer())
        outputs = {"y": y, "version_offset": tf.identity(offset)}
        save_v1(path, session, [(SERVE, {DEFAULT: ({"x": x}, outputs)})])
    data = path / "variables" / "variables.data-00000-of-00001"
    assert not any(data.read_bytes()), "a byte is not zero"
    data.unlink()


def gate(path: Path) -> None:
    """Signatures that load and do not run, none of them the default one."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        saved = v1.get_variable("saved", initializer=1.0, use_resource=True)
        left_out = v1.get_variable("left_out", initializer=2.0, use_resource=True)
        text = v1.placeholder(tf.string, [None], "text")
        # Nobody runs its initializer: a SavedModel has to name one.
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1.0]), 0.0)
        file = v1.placeholder(tf.string, [], "file")
        # In a function: TensorFlow looks for its kernel at the first run, and for those of the graph itself at the load.
        python = tf.function(lambda value: tf.py_function(lambda same: same, [value], tf.float32))
        signatures = {
            "variable": ({"x": x}, {"y": saved * x + left_out}),
            "table": ({"text": text}, {"y": table.lookup(text)}),
            "kernel": ({"x": x}, {"y": python(x)}),
            "file": ({"file": file}, {"contents": tf.io.read_file(file)}),
        }
        session.run(v1.global_variables_initializer())
        save_v1(path, session, [(SERVE, signatures)], saver=v1.train.Saver([saved]))


def no_signatures(path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.constant(1.0)
        save_v1(path, session, [(SERVE, {})])


def quantised(path: Path) -> None:
    """Weights in int8 with a scale for each column, a quarter of the size; and the other ways to say it in a graph."""

    class Quantised(tf.Module):
        def __init__(self):
            super().__init__()
            random = np.random.RandomState(3)

            def weights(rows: int, columns: int) -> tuple[tf.Variable, tf.Variable]:
                values = random.randn(rows, columns) / np.sqrt(rows)
                scales = np.abs(values).max(axis=0) / 127
                return tf.Variable(np.rint(values / scales).astype(np.int8)), tf.Variable(scales.astype(np.float32))

            # Variables, not constants: those would be folded to float32 as the model is loaded.
            self.hidden = weights(64, 256)
            self.head = weights(256, 10)

        def product(self, x, layer):
            weights, scales = layer
            return tf.matmul(x, tf.cast(weights, tf.float32)) * scales

        def network(self, x):
            return self.product(tf.nn.relu(self.product(x, self.hidden)), self.head)

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, "x")])
        def predict(self, x):
            return {"y": self.network(x)}

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, "x")])
        def fake_quant(self, x):
            """As training for quantisation leaves it: floats on 255 steps."""
            return {"y": self.network(tf.quantization.fake_quant_with_min_max_args(x, -4.0, 4.0))}

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.uint8, "x")])
        def integers(self, x):
            """Products of integers, exact: 128 stands for zero."""
            return {"y": tf.matmul(tf.cast(x, tf.int32) - 128, tf.cast(self.hidden[0], tf.int32))}

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, "x")])
        def quantised_dtype(self, x):
            """Through quint8, a dtype that no signature may name."""
            low, high = tf.constant(-4.0), tf.constant(4.0)
            values, low, high = tf.quantization.quantize(x, low, high, tf.quint8)
            return {"y": tf.quantization.dequantize(values, low, high)}

    model = Quantised()
    signatures = {"fake_quant": model.fake_quant, "integers": model.integers, "quantised_dtype": model.quantised_dtype}
    save(model, path, {DEFAULT: model.predict, **signatures})


# A quarter of a step beside each of the 255 that there are from -4 to 4: no rounding falls the other way elsewhere.
QUANTISED_X = (((np.arange(128) * 37) % 253 - 126 + 0.25) * 8 / 255).astype(np.float32).reshape(2, 64)
QUANTISED_CASES = [
    Case("two_rows", {"x": QUANTISED_X}),
    Case("two_rows", {"x": QUANTISED_X}, "fake_quant"),
    Case("two_rows", {"x": Formula("uint8", (2, 64), 31, 7, 251)}, "integers"),
    Case("two_rows", {"x": QUANTISED_X}, "quantised_dtype"),
]


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field; lengths here stay below 2**14."""
    size = len(payload)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + payload


def prediction_log(signature: str, inputs: dict[str, Any]) -> bytes:
    """tensorflow.serving.PredictionLog with a PredictLog, by hand: TensorFlow itself does not have the message."""
    entries = [
        field(2, field(1, name.encode()) + field(2, tensor.SerializeToString())) for name, tensor in inputs.items()
    ]
    request = field(1, field(1, b"any") + field(3, signature.encode())) + b"".join(entries)
    return field(6, field(1, request))


def with_warmup(lowest: float) -> Callable[[Path], None]:
    """A model that counts its runs, with three warm-up requests, the last of which asks it for `lowest`."""

    def build(path: Path) -> None:
        class Counting(tf.Module):
            def __init__(self):
                super().__init__()
                self.runs = tf.Variable(0, dtype=tf.int64)

            @tf.function(input_signature=[vector(name="x"), vector(tf.int64, "id"), vector(tf.string, "text")])
            def predict(self, x, id, text):  # noqa: A002
                with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
                    runs = self.runs.assign_add(1, read_value=True)
                return {"y": x + tf.cast(id, tf.float32), "text": tf.identity(text), "runs": runs}

        model = Counting()
        save(model, path, {DEFAULT: model.predict, "again": model.predict})
        (path / "assets.extra").mkdir()
        # Values in tensor_content, in the field of their dtype, and one value that stands for all.
        content = {"x": f32(1, 2, 3), "id": np.arange(3), "text": strings(b"a", b"", b"c")}
        listed = {"x": [0.5], "id": [7], "text": [b"\xff"]}
        repeated = tf.make_tensor_proto(lowest, tf.float32, [4])
        logs = [
            prediction_log("", {name: tf.make_tensor_proto(value) for name, value in content.items()}),
            prediction_log(
                "again",
                {
                    "x": tf.make_tensor_proto(listed["x"], tf.float32),
                    "id": tf.make_tensor_proto(listed["id"], tf.int64),
                    "text": tf.make_tensor_proto(listed["text"], tf.string),
                },
            ),
            prediction_log(
                DEFAULT,
                {
                    "x": repeated,
                    "id": tf.make_tensor_proto(1, tf.int64, [4]),
                    "text": tf.make_tensor_proto(b"same", tf.string, [4]),
                },
            ),
        ]
        with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
            for log in logs:
                writer.write(log)

    return build


@dataclass(frozen=True)
class Sparse:
    """A tf.SparseTensor by its parts."""

    indices: np.ndarray
    values: np.ndarray
    dense_shape: np.ndarray

    def parts(self) -> list[np.ndarray]:
        return [self.indices, self.values, self.dense_shape]

    def item(self) -> dict[str, Any]:
        return {"indices": encode_tensor(self.indices), "values": encode_tensor(self.values),
                "dense_shape": encode_tensor(self.dense_shape)}  # fmt: skip


@dataclass(frozen=True)
class Ragged:
    """A tf.RaggedTensor by its flat values, and the row splits of its dims, outermost first."""

    values: np.ndarray
    row_splits: list[np.ndarray]

    def parts(self) -> list[np.ndarray]:
        return [self.values, *self.row_splits]

    def item(self) -> dict[str, Any]:
        item = encode_tensor(self.values)
        for splits in reversed(self.row_splits):
            item = {"values": item, "row_splits": encode_tensor(splits)}
        return item


def sparse(path: Path) -> None:
    """coo_sparse, which TensorFlow writes for sparse inputs of the TF1 builder alone."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.sparse_placeholder(tf.float32, [None, 4], "x")
        anything = v1.sparse_placeholder(tf.string, name="anything")
        total = tf.reshape(tf.sparse.reduce_sum(x, 1), [-1])
        signatures = {
            DEFAULT: ({"x": x}, {"total": total, "twice": x * 2.0}),
            "dense": ({"x": anything}, {"dense": tf.sparse.to_dense(anything)}),
        }
        save_v1(path, session, [(SERVE, signatures)])


def int64(*values: Any) -> np.ndarray:
    return np.array(values, np.int64)


SPARSE_CASES = [
    Case("two_rows", {"x": Sparse(int64([0, 1], [1, 0], [1, 3]), f32(1.5, 2, -4), int64(2, 4))}),
    Case("nothing", {"x": Sparse(int64().reshape(0, 2), f32(), int64(3, 4))}),
    Case("rank3", {"x": Sparse(int64([0, 0, 1], [1, 1, 0]), strings(b"a", b"\xff"), int64(2, 2, 2))}, "dense"),
]


def ragged(path: Path) -> None:
    """composite_tensor, in and out; some of the outputs are parts of the inputs."""
    with tf.Graph().as_default(), v1.Session() as session:
        words = v1.ragged.placeholder(tf.string, 1, [])
        with tf.name_scope("nested"):
            nested = v1.ragged.placeholder(tf.float32, 2, [2])
        with tf.name_scope("narrow"):
            narrow = tf.RaggedTensor.from_row_splits(
                v1.placeholder(tf.int32, [None], "values"), v1.placeholder(tf.int32, [None], "splits")
            )
        x = v1.sparse_placeholder(tf.float32, [None, 4], "x")
        bias = v1.placeholder(tf.float32, [None], "bias")
        signatures = {
            DEFAULT: ({"words": words}, {"length": tf.strings.length(words), "count": words.row_lengths()}),
            "nested": ({"x": nested}, {"twice": nested * 2.0, "dense": nested.to_tensor()}),
            "narrow": ({"x": narrow}, {"y": narrow + 1}),
            "both": (
                {"x": x, "words": words, "bias": bias},
                {"y": bias + tf.sparse.reduce_sum(x) + tf.cast(words.nrows(), tf.float32)},
            ),
        }
        save_v1(path, session, [(SERVE, signatures)])


def flattened(path: Path) -> None:
    """Arguments that tf.saved_model.save flattens: x becomes x, x_1, x_2."""

    class Flattened(tf.Module):
        @tf.function(input_signature=[tf.SparseTensorSpec([None, 4], tf.float32)])
        def sparse(self, x):
            return {"total": tf.sparse.reduce_sum(x, 1), "twice": x * 2.0}

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.float32), tf.RaggedTensorSpec([None, None, None, 2], tf.int32, 2)]
        )
        def nested(self, bias, x):
            return {"twice": x * 2, "y": bias + tf.cast(tf.reduce_sum(x), tf.float32)}

    model = Flattened()
    save(model, path, {DEFAULT: model.sparse, "nested": model.nested})


def flattened_concrete(path: Path) -> None:
    """As flattened, of concrete functions: those that the signatures call are not the ones that are described."""

    class Concrete(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(f32(2))

        @tf.function(input_signature=[tf.SparseTensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.float32)])
        def sparse(self, sp, bias):
            return {"y": tf.sparse.reduce_sum(sp, 1) * self.scale + bias}

        @tf.function
        def nested(self, x):
            return {"y": tf.reduce_sum(x["rows"], 1) * self.scale + x["more"][0]}

    model = Concrete()
    nested = {"rows": tf.RaggedTensorSpec([None, None], tf.float32), "more": [tf.TensorSpec([None], tf.float32)]}
    untracked = tf.function(lambda sp: {"y": tf.sparse.reduce_sum(sp, 1)})
    signatures = {
        DEFAULT: model.sparse.get_concrete_function(),
        "nested": model.nested.get_concrete_function(nested),
        "untracked": untracked.get_concrete_function(tf.SparseTensorSpec([None, None], tf.float32)),
    }
    save(model, path, signatures)


FLATTENED_CASES = [
    Case("two_rows", {"x": Sparse(int64([0, 1], [1, 0], [1, 3]), f32(1.5, 2, -4), int64(2, 4))}),
    Case(
        "nested",
        {"x": Ragged(np.arange(6, dtype=np.int32).reshape(3, 2), [int64(0, 2, 2), int64(0, 1, 3)]), "bias": f32(1)},
        "nested",
    ),
]
WORDS = Ragged(strings(b"a", b"bcd", b"", b"\xc3\xa9"), [int64(0, 2, 2, 4)])
RAGGED_CASES = [
    Case("three_rows", {"words": WORDS}),
    Case("no_rows", {"words": Ragged(strings(), [int64(0)])}),
    Case("nested", {"x": Ragged(f32(1, 2, 3, 4, 5, 6).reshape(3, 2), [int64(0, 2, 2, 3), int64(0, 1, 3, 3)])}, "nested"),
    Case("narrow", {"x": Ragged(np.array([1, 2, 3], np.int32), [np.array([0, 1, 3], np.int32)])}, "narrow"),
    Case(
        "both",
        {"x": Sparse(int64([0, 1]), f32(0.5), int64(1, 4)), "words": WORDS, "bias": f32(1, 2)},
        "both",
    ),
]  # fmt: skip


def text_form(path: Path) -> None:
    """saved_model.pbtxt in place of saved_model.pb, with a variable, a loop, and a ragged output."""

    class TextForm(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(f32(1.5, -2))

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x"), tf.TensorSpec([], tf.int32, "times")])
        def predict(self, x, times):
            y = tf.while_loop(lambda i, _: i < times, lambda i, y: (i + 1, y * self.scale), (0, x))[1]
            table = tf.constant([2**40 + 1, -1], tf.int64)
            return {"y": y, "table": table + tf.cast(times, tf.int64)}

        @tf.function(input_signature=[vector(tf.string, "text")])
        def split(self, text):
            return {"words": tf.strings.split(text, "\"\\,\n")}

    model = TextForm()
    save(model, path, {DEFAULT: model.predict, "split": model.split})
    saved_model = saved_model_pb2.SavedModel()
    binary = path / "saved_model.pb"
    saved_model.ParseFromString(binary.read_bytes())
    (path / "saved_model.pbtxt").write_text(text_format.MessageToString(saved_model))
    binary.unlink()


DEMO = {"policy": Model(policy, POLICY_CASES), "half_plus_two": Model(half_plus_two, HALF_PLUS_TWO_CASES)}
TEST = {
    "identity": Model(identity, identity_cases()),
    "awkward_names": Model(awkward_names, AWKWARD_CASES),
    "mixed": Model(mixed, MIXED_CASES),
    "fixed_batch": Model(fixed_batch, [Case("one", {"x": f32(0, 1, -2, 0.5).reshape(1, 4)})]),
    "unknown_rank": Model(
        unknown_rank,
        [
            Case("scalar", {"x": np.float32(1.25)}),
            Case("empty", {"x": np.zeros((0, 3), np.float32)}),
            Case("rank3", {"x": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}),
        ],
    ),
    "unknown_rank_image": Model(
        unknown_rank_image, [Case("one", {"x": np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)})]
    ),
    "images": Model(images, [Case("one", {"image": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)})]),
    "signatures": Model(
        several_signatures, [Case("add", AB), Case("mul", AB, "mul"), Case("twice", {"a": f32(1, -2.5)}, "twice")]
    ),
    "tags": Model(
        custom_tags,
        [
            Case("custom", {"x": f32(1, 2)}, tags=("custom",)),
            Case("serve_gpu", {"x": f32(1, 2)}, tags=("serve", "gpu")),
        ],
    ),
    "slow": Model(
        slow,
        [
            Case("no_steps", {"x": f32(0.5, 1), "steps": np.int32(0)}),
            Case("hundred", {"x": f32(0.5, 1), "steps": np.int32(100)}),
        ],
    ),
    "failing": Model(failing, FAILING_CASES),
    "big_graph": Model(big_graph, [Case("two_rows", {"x": f32(1, -2)})]),
    "versioned": Model(versioned("x", "1"), [Case("two_rows", {"x": f32(1, -2)})]),
    "versioned_v2signature": Model(versioned("z", "2"), [Case("two_rows", {"z": f32(1, -2)})]),
    "strings": Model(
        string_functions,
        [
            Case("text", {"text": strings(b"Hello", b"", "größe 模型 🤖".encode())}),
            Case("not_utf8", {"text": strings(b"\xff\xfeab\x00c\x00", b"\x00", b"\xc3")}),
        ],
    ),
    "stateful": Model(stateful, [Case("weights", {}, "read")]),
    "sharded": Model(sharded, [Case("two_rows", {"x": np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 48)})]),
    "warmed_up": Model(with_warmup(lowest=0.25), []),
    "warmup_refused": Model(with_warmup(lowest=-1), []),
    "v1_bare": Model(v1_bare, [Case("two_rows", {"x": f32(1, 2, -3, 0.5).reshape(2, 2)})], version=None),
    "v1_local": Model(
        v1_local,
        [
            Case("two_rows", {"x": f32(1, 2, 3, -4, 0.5, 0).reshape(2, 3)}),
            Case("two_rows", {"x": f32(1, 2, 3, -4, 0.5, 0).reshape(2, 3)}, "passed"),
            Case("two_rows", {"x": f32(1, 2, 3, -4, 0.5, 0).reshape(2, 3)}, "also_passed"),
        ],
    ),
    "unusable": Model(unusable, []),
    "like_a_tensor": Model(like_a_tensor, []),
    "rows": Model(
        rows,
        [
            Case(
                "two_rows",
                {
                    "x": f32(1, 2, 3, -4, 0.5, 0).reshape(2, 3),
                    "mask": np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
                },
            )
        ],
    ),
    "rows_mean": Model(rows_mean, [Case("two_rows", {"x": f32(1, 2)})]),
    "rows_unique": Model(
        rows_unique, [Case("two_rows", {"x": f32(1, 2)}), Case("twice_the_same", {"x": f32(1, 1)})]
    ),
    "rows_guarded": Model(
        rows_guarded, [Case("good", {"x": f32(1, 2)}), Case("bad", {"x": f32(1, -2)}, fails=True)]
    ),
    "rows_mixed": Model(
        rows_mixed,
        [
            Case("one", {"x": np.array([[1, 2, 3, 4]], np.float32)}),
            Case("one", {"x": np.array([[0, 1, 4]], np.int32)}, "embedding"),
            Case("one", {"x": np.array([3], np.int32)}, "mask"),
            Case("one", {"x": np.array([[True, False]])}, "every"),
            Case("one", {"x": np.array([[1 + 2j, 3 - 1j]], np.complex64)}, "complex_mean"),
            Case("one", {"x": strings(b"two words")}, "words"),
            Case("one", {"x": strings(b"two words")}, "flat_words"),
            Case("one", {"x": np.array([[3, -8]], np.float32)}, "halved"),
            Case("one", {"x": np.array([[3, -8]], np.float32)}, "chosen"),
            Case("one", {"x": np.array([[50, 3]], np.float32)}, "least"),
        ],
    ),
    "rows_slow": Model(
        rows_slow, [Case("two_rows", {"x": f32(0.5, 1), "steps": np.array([3, 100], np.int32)})]
    ),
    "versioned_rows": Model(versioned("x", "1", per_row=True), [Case("two_rows", {"x": f32(1, -2)})]),
    "rows_table": Model(
        rows_table,
        [
            Case("two_rows", {"row": np.array([3, 0], np.int32)}),
            Case("no_such_row", {"row": np.array([3, 10], np.int32)}, fails=True),
        ],
    ),
    "quantised": Model(quantised, QUANTISED_CASES),
    "gate": Model(gate, []),
    "no_signatures": Model(no_signatures, []),
    "text_form": Model(
        text_form,
        [
            Case("twice", {"x": f32(1, 2, -3, 0.5).reshape(2, 2), "times": np.int32(2)}),
            Case("words", {"text": strings(b'a"\\,\nbc', b"", b"d")}, "split"),
        ],
    ),
    "sparse": Model(sparse, SPARSE_CASES),
    "ragged": Model(ragged, RAGGED_CASES),
    "flattened": Model(flattened, FLATTENED_CASES),
    "flattened_concrete": Model(flattened_concrete, []),
}


# Writing models and asking them


def write_model(model: Model, folder: Path) -> Path:
    """Build into a fresh folder and leave out what no loader reads. Returns the SavedModel's path."""
    shutil.rmtree(folder, ignore_errors=True)
    path = folder if model.version is None else folder / str(model.version)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.build(path)
    # It holds a random id, so it would differ after every run.
    (path / "fingerprint.pb").unlink(missing_ok=True)
    for empty in ("assets", "variables"):
        if (path / empty).is_dir() and not any((path / empty).iterdir()):
            (path / empty).rmdir()
    return path


def to_tensorflow(value: Any) -> np.ndarray:
    array = value.array() if isinstance(value, Formula) else np.asarray(value)
    return array.view("<u2").view(ml_dtypes.bfloat16) if array.dtype == BFLOAT16 else array


def from_tensorflow(value: Any) -> Any:
    if isinstance(value, (tf.SparseTensor, v1.SparseTensorValue)):
        return Sparse(*(from_tensorflow(part) for part in (value.indices, value.values, value.dense_shape)))
    if isinstance(value, tf.RaggedTensor):
        return ragged_of(value.flat_values, value.nested_row_splits)
    if isinstance(value, v1.ragged.RaggedTensorValue):
        return ragged_of(value.flat_values, value.nested_row_splits)
    if isinstance(value, tf.Tensor):
        value = value.numpy()
    array = np.asarray(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)
    return array.view("<u2").view(BFLOAT16) if array.dtype == ml_dtypes.bfloat16 else array


def ragged_of(values: Any, row_splits: Any) -> Ragged:
    return Ragged(from_tensorflow(values), [from_tensorflow(splits) for splits in row_splits])


Outputs = dict[str, Any]


def with_components(inputs: dict[str, Any], names: set[str]) -> dict[str, np.ndarray]:
    """Sparse and ragged inputs as the tensors that `tf.saved_model.load` and `save` make of them."""
    flat: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        if not isinstance(value, (Sparse, Ragged)):
            flat[name] = value
            continue
        parts = value.parts()
        spellings = [
            [f"{name}_indices", f"{name}_values", f"{name}_dense_shape"],
            [f"{name}_component_{i}" for i in range(len(parts))],
            [name, *(f"{name}_{i}" for i in range(1, len(parts)))],
        ]
        keys = next(keys for keys in spellings if len(keys) == len(parts) and names.issuperset(keys))
        flat.update(zip(keys, parts))
    return flat


def ask_v2(loaded: Any, case: Case) -> Outputs:
    function = loaded.signatures[case.signature]
    inputs = with_components(case.inputs, set(function.structured_input_signature[1]))
    tensors = {name: tf.constant(to_tensorflow(value)) for name, value in inputs.items()}
    return {name: from_tensorflow(value) for name, value in function(**tensors).items()}


def graph_names(info: Any) -> list[str]:
    """The tensors of the graph that a TensorInfo is."""
    if info.WhichOneof("encoding") == "coo_sparse":
        sparse = info.coo_sparse
        return [sparse.indices_tensor_name, sparse.values_tensor_name, sparse.dense_shape_tensor_name]
    if info.WhichOneof("encoding") == "composite_tensor":
        return [component.name for component in info.composite_tensor.components]
    return [info.name]


def ask_v1(path: Path, case: Case) -> Outputs:
    with tf.Graph().as_default(), v1.Session() as session:
        meta_graph = v1.saved_model.loader.load(session, list(case.tags), str(path))
        signature = meta_graph.signature_def[case.signature]
        inputs = case.inputs
        if not inputs.keys() == signature.inputs.keys():
            inputs = with_components(inputs, set(signature.inputs))
        feeds = {}
        for name, value in inputs.items():
            parts = value.parts() if isinstance(value, (Sparse, Ragged)) else [to_tensorflow(value)]
            feeds.update(zip(graph_names(signature.inputs[name]), parts))
        fetches = {name: graph_names(info) for name, info in signature.outputs.items()}
        outputs = {}
        for name, parts in session.run(fetches, feeds).items():
            encoding = signature.outputs[name].WhichOneof("encoding")
            values = [from_tensorflow(part) for part in parts]
            if encoding == "name":
                outputs[name] = values[0]
            else:
                outputs[name] = Sparse(*values) if encoding == "coo_sparse" else Ragged(values[0], values[1:])
        return outputs


def ask(question: Callable[[], Outputs]) -> Outputs | str:
    """The outputs, or the name of TensorFlow's error code, as INVALID_ARGUMENT."""
    try:
        return question()
    except tf.errors.OpError as error:
        return next(name for name, code in vars(tf.errors).items() if name.isupper() and code == error.error_code)


def with_parts(outputs: Outputs) -> dict[str, np.ndarray]:
    """Arrays alone, under names of their own."""
    return {
        f"{name}/{i}": part
        for name, value in outputs.items()
        for i, part in enumerate(value.parts() if isinstance(value, (Sparse, Ragged)) else [value])
    }


def require_same(one: Outputs | str, other: Outputs | str, what: str) -> None:
    if isinstance(one, str) or isinstance(other, str):
        if one != other:
            raise SystemExit(f"{what}: tf.saved_model.load gave {one}, the TF1 loader {other}")
        return
    one, other = with_parts(one), with_parts(other)
    for name in one.keys() | other.keys():
        a, b = one[name], other[name]
        same = a.shape == b.shape and a.dtype == b.dtype
        if same and a.dtype.kind == "f":
            same = np.allclose(a, b, RTOL, ATOL, equal_nan=True)
        elif same:
            same = a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()
        if not same:
            raise SystemExit(f"{what}: the two loaders differ in {name}: {a} and {b}")


def item_of(value: Any) -> Any:
    return value.item() if isinstance(value, (Formula, Sparse, Ragged)) else encode_tensor(value)


def write_golden(name: str, model: Model, path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{name}.*.cbor"):
        stale.unlink()
    loaded = {tags: tf.saved_model.load(str(path), list(tags)) for tags in {case.tags for case in model.cases}}
    for case in model.cases:
        what = f"{name}.{case.signature.replace('/', '_')}.{case.name}"
        answer = ask(lambda: ask_v2(loaded[case.tags], case))
        require_same(answer, ask(lambda: ask_v1(path, case)), what)
        if isinstance(answer, str) != case.fails:
            raise SystemExit(f"{what}: {'did not fail' if case.fails else answer}")
        golden: dict[str, Any] = {"model": name, "signature": case.signature, "tags": list(case.tags)}
        golden["inputs"] = {key: item_of(value) for key, value in case.inputs.items()}
        if isinstance(answer, str):
            golden["error"] = answer
        else:
            golden["outputs"] = {key: item_of(answer[key]) for key in sorted(answer)}
        (folder / f"{what}.cbor").write_bytes(cbor2.dumps(golden))


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


# Models that no server should load with others: no folder of good ones holds them.
UNSAFE = {"endless": Model(endless, []), "aborts": Model(aborts, [])}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the demo and test models and their golden answers.")
    parser.add_argument("--out-demo", type=Path, default=ROOT / "saved_models")
    parser.add_argument("--out-test", type=Path, default=ROOT / "test" / "models")
    parser.add_argument("--out-unsafe", type=Path, default=ROOT / "test" / "unsafe_models")
    parser.add_argument("--out-golden", type=Path, default=ROOT / "test" / "golden")
    parser.add_argument("--out-fixtures", type=Path, default=ROOT / "test" / "fixtures")
    parser.add_argument("--only", nargs="*", metavar="MODEL", help="those to make; all by default")
    arguments = parser.parse_args()

    tf.get_logger().setLevel("ERROR")
    for models, folder in ((DEMO, arguments.out_demo), (TEST, arguments.out_test), (UNSAFE, arguments.out_unsafe)):
        for name, model in models.items():
            if arguments.only and name not in arguments.only:
                continue
            path = write_model(model, folder.resolve() / name)
            write_golden(name, model, path, arguments.out_golden)
            print(f"{size_of(folder / name):8}  {name}  {len(model.cases)} golden", flush=True)
    write_model(Model(zeros), arguments.out_fixtures.resolve() / "zeros")
    (arguments.out_demo / "serving.json").write_text('{"default_model": "policy"}\n')


if __name__ == "__main__":
    main()
