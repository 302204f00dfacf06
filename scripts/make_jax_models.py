#!/usr/bin/env python3
"""Makes the test models that JAX exports, and their golden answers.

    pip install -r scripts/make_jax_models.requirements.txt
    python scripts/make_jax_models.py

test/jax/README.md says what each model is for. They are written and asked as those of make_models.py are; before, TensorFlow is
asked for the rows of each model together and one by one, and must show what its name says: that rows follow from
themselves alone, or not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Callable

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from make_models import DEFAULT, ROOT, Case, Model, save, size_of, write_golden, write_model

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf
from jax import lax
from jax.experimental import jax2tf
from jaxlib.mlir.dialects import stablehlo
from tensorflow.core.protobuf import saved_model_pb2

Inputs = dict[str, tuple[str, tuple[int | None, ...]]]


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.RandomState(seed + sum(shape)).randn(*shape) * 0.4).astype(np.float32)


def layer_norm(x: jax.Array) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)


def dense(x: jax.Array) -> jax.Array:
    return jax.nn.softmax(jax.nn.relu(x @ weights(4, 8) + weights(8)) @ weights(8, 3))


def images(x: jax.Array) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    filtered = lax.conv_general_dilated(x, weights(3, 3, 3, 4), (1, 1), "SAME", dimension_numbers=layout)
    pooled = lax.reduce_window(jax.nn.relu(filtered), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return jax.image.resize(pooled, (x.shape[0], 6, 6, 4), "bilinear").reshape(x.shape[0], -1) @ weights(144, 2)


def tokens(ids: jax.Array, mask: jax.Array) -> jax.Array:
    """Ids to embeddings, one layer of attention with two heads and a mask, and the mean over the tokens."""
    x = jnp.take(weights(20, 8), ids, axis=0) + jnp.sin(jnp.arange(5)[:, None] * weights(8))
    rows, length, width = x.shape
    heads = [(x @ weights(8, 8, seed=i)).reshape(rows, length, 2, 4).transpose(0, 2, 1, 3) for i in range(3)]
    scores = jnp.where(mask[:, None, None, :] > 0, heads[0] @ heads[1].swapaxes(-1, -2), -1e9)
    seen = (jax.nn.softmax(scores) @ heads[2]).transpose(0, 2, 1, 3).reshape(rows, length, width)
    return layer_norm(x + seen).mean(1)


def recurrent(x: jax.Array) -> jax.Array:
    """A GRU over a time that is open."""

    def step(state: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        update = jax.nn.sigmoid(x @ weights(4, 3) + state @ weights(3, 3))
        reset = jax.nn.sigmoid(x @ weights(4, 3, seed=1) + state @ weights(3, 3, seed=1))
        candidate = jnp.tanh(x @ weights(4, 3, seed=2) + reset * (state @ weights(3, 3, seed=2)))
        state = (1 - update) * candidate + update * state
        return state, state

    return lax.scan(step, jnp.zeros((x.shape[0], 3)), x.swapaxes(0, 1))[1].swapaxes(0, 1)


def per_row(x: jax.Array, place: jax.Array) -> jax.Array:
    """What vmap makes of code for one row: a condition, an index, a write."""

    def one(x: jax.Array, place: jax.Array) -> jax.Array:
        turned = lax.cond(x[0] > 0, lambda x: x * 2, lambda x: -x, x)
        return jnp.cumsum(jnp.sort(turned.at[place].set(x[place])))

    return jax.vmap(one)(x, place)


def not_mean(x: jax.Array) -> jax.Array:
    return x - x.mean(0)


def not_sorted(x: jax.Array) -> jax.Array:
    return jnp.sort(x, 0)


def not_halved(x: jax.Array) -> jax.Array:
    return lax.while_loop(lambda x: jnp.max(x) > 1, lambda x: x / 2, x)


def not_random(x: jax.Array) -> jax.Array:
    return x + jax.random.normal(jax.random.PRNGKey(0), x.shape)


def not_position(x: jax.Array) -> jax.Array:
    return x + jnp.arange(x.shape[0])[:, None]


def export(function: Callable[..., jax.Array], path: Path, inputs: Inputs, **options: Any) -> None:
    """Rows in front are open: `b`; other open dims are `t`. The options are those of jax2tf.convert."""
    shapes = [f"({', '.join(['b', *('t' if dim is None else str(dim) for dim in dims)])})" for _, dims in inputs.values()]
    converted = jax2tf.convert(
        function,
        polymorphic_shapes=[shape.replace("(b)", "(b,)") for shape in shapes],
        with_gradient=False,
        **options,
    )
    specs = [tf.TensorSpec((None, *dims), dtype, name) for name, (dtype, dims) in inputs.items()]
    module = tf.Module()
    module.predict = tf.function(lambda *given: {"y": converted(*given)}, autograph=False, input_signature=specs)
    save(module, path, {DEFAULT: module.predict})


def write_older(path: Path) -> None:
    """Writes the module as the oldest StableHLO did that is still read."""
    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    oldest = stablehlo.get_minimum_version()
    for function in model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "XlaCallModule":
                text = stablehlo.deserialize_portable_artifact_str(node.attr["module"].s)
                node.attr["module"].s = stablehlo.serialize_portable_artifact_str(text, oldest)
    file.write_bytes(model.SerializeToString(deterministic=True))


def encode_modules(folder: Path) -> None:
    """Modules that are written by hand, as a StableHLO encodes them that TensorFlow 2.21 reads."""
    for file in sorted(folder.glob("*.mlir")):
        encoded = stablehlo.serialize_portable_artifact_str(file.read_text(), "1.10.0")
        file.with_suffix(".mlirbc").write_bytes(encoded)


X: Inputs = {"x": ("float32", (4,))}
FUNCTIONS: dict[str, tuple[Callable[..., jax.Array], Inputs]] = {
    "dense": (dense, X),
    "images": (images, {"x": ("float32", (8, 8, 3))}),
    "tokens": (tokens, {"ids": ("int32", (5,)), "mask": ("int32", (5,))}),
    "recurrent": (recurrent, {"x": ("float32", (None, 4))}),
    "per_row": (per_row, {"x": ("float32", (4,)), "place": ("int32", ())}),
    "older": (dense, X),
    "platforms": (dense, X),
    "not_mean": (not_mean, X),
    "not_sorted": (not_sorted, X),
    "not_halved": (not_halved, X),
    "not_random": (not_random, X),
    "not_position": (not_position, X),
}


def values(inputs: Inputs, rows: int, seed: int) -> dict[str, np.ndarray]:
    """Other values for each seed; whole numbers below 4, which are ids, places and masks."""
    random = np.random.RandomState(seed)

    def of(dtype: str, dims: tuple[int | None, ...]) -> np.ndarray:
        shape = (rows, *(3 if dim is None else dim for dim in dims))
        return random.randint(0, 4, shape).astype(dtype) if dtype == "int32" else random.randn(*shape).astype(dtype)

    return {name: of(*given) for name, given in inputs.items()}


def require_rows(name: str, path: Path, inputs: Inputs) -> None:
    """The rows of a request together and one by one: alike, or not where the model's name says so."""
    loaded: Any = tf.saved_model.load(str(path))
    ask = loaded.signatures[DEFAULT]
    asked = values(inputs, 5, 9)
    together = ask(**{key: tf.constant(value) for key, value in asked.items()})["y"].numpy()
    alone = [ask(**{key: tf.constant(value[i : i + 1]) for key, value in asked.items()})["y"].numpy() for i in range(5)]
    is_alike = np.allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-5)
    if is_alike == name.startswith("not_"):
        raise SystemExit(f"{name}: rows together are {'as' if is_alike else 'not as'} rows alone")


def model_of(name: str, **options: Any) -> Model:
    function, inputs = FUNCTIONS[name]

    def build(path: Path) -> None:
        export(function, path, inputs, **options)
        if name == "older":
            write_older(path)
        require_rows(name, path, inputs)

    cases = [Case(f"row_{seed}", values(inputs, 1, seed)) for seed in range(4)]
    return Model(build, [*cases, Case("rows", values(inputs, 3, 4))])


def make(models: dict[str, Model]) -> None:
    parser = argparse.ArgumentParser(description="Make test models that JAX exports and their golden answers.")
    parser.add_argument("--out", type=Path, default=ROOT / "test" / "jax")
    out = parser.parse_args().out.resolve()

    tf.get_logger().setLevel("ERROR")
    # Modules would name the lines of this file.
    jax.config.update("jax_traceback_in_locations_limit", 0)
    for name, model in models.items():
        path = write_model(model, out / "models" / name)
        write_golden(name, model, path, out / "golden")
        print(f"{size_of(out / 'models' / name):8}  {name}  {len(model.cases)} golden", flush=True)


if __name__ == "__main__":
    encode_modules(ROOT / "test" / "jax" / "modules")
    several = {"native_serialization_platforms": ["cpu", "cuda"]}
    make({name: model_of(name, **(several if name == "platforms" else {})) for name in FUNCTIONS})
