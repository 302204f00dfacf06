"""A SavedModel for the Python servers, run the quickest way that TensorFlow for Python has.

That is a callable of a session: calling the signature, as most people do, takes twice as long for a small model.
The folder is $MODEL; $INTRA_THREADS and $INTER_THREADS are as in TensorFlow's ConfigProto.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf  # noqa: E402

Arrays = dict[str, np.ndarray]


class Input(NamedTuple):
    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    """Of one row."""


class SavedModel:
    """The default signature. May be run by several threads at once."""

    def __init__(self) -> None:
        graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=int(os.environ.get("INTRA_THREADS", "0")),
            inter_op_parallelism_threads=int(os.environ.get("INTER_THREADS", "0")),
        )
        session = tf.compat.v1.Session(graph=graph, config=config)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], os.environ["MODEL"])
        signature = loaded.signature_def["serving_default"]
        names = sorted(signature.inputs)
        tensors = [graph.get_tensor_by_name(signature.inputs[name].name) for name in names]
        self.inputs = [
            Input(name, np.dtype(tensor.dtype.as_numpy_dtype), tuple(tensor.shape[1:]))
            for name, tensor in zip(names, tensors)
        ]
        self.outputs = sorted(signature.outputs)
        self._run = session.make_callable([signature.outputs[name].name for name in self.outputs], tensors)

    def run(self, inputs: Arrays) -> Arrays:
        return dict(zip(self.outputs, self._run(*(inputs[name] for name, _, _ in self.inputs))))

    def run_batch(self, samples: list[Arrays]) -> list[Arrays]:
        """Runs samples of one row each together."""
        if len(samples) == 1:
            return [self.run(samples[0])]
        outputs = self.run({name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]})
        return [{name: rows[i : i + 1] for name, rows in outputs.items()} for i in range(len(samples))]

    def from_bytes(self, body: bytes) -> Arrays:
        """One sample from the bytes of its inputs, in the order of their names; views, not copies."""
        sample, offset = {}, 0
        for name, dtype, shape in self.inputs:
            count = int(np.prod(shape))
            sample[name] = np.frombuffer(body, dtype, count, offset).reshape(1, *shape)
            offset += count * dtype.itemsize
        return sample

    def to_bytes(self, outputs: Arrays) -> bytes:
        """The bytes of the outputs, in the order of their names."""
        return b"".join(outputs[name].tobytes() for name in self.outputs)
