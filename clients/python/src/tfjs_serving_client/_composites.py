"""Sparse and ragged tensors as their parts, whoever made them. TensorFlow is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np


@dataclass(frozen=True, eq=False)
class SparseTensor:
    """Values, and where they lie in a tensor that is zero elsewhere, as `tf.SparseTensor` has them.

    indices: integers [n, rank], in ascending order for most of TensorFlow's operations
    values: [n]
    dense_shape: integers [rank]
    """

    indices: Any
    values: Any
    dense_shape: Any


@dataclass(frozen=True, eq=False)
class RaggedTensor:
    """Rows of different lengths, as `tf.RaggedTensor` has them.

    values: those of all rows, one after another; a RaggedTensor where the rows are ragged themselves
    row_splits: integers [rows + 1]: row i is values[row_splits[i]:row_splits[i + 1]]
    """

    values: Any
    row_splits: Any


def composite_of(value: Any) -> SparseTensor | RaggedTensor | None:
    """The parts, as arrays, of a value of ours, of TensorFlow or of its TF1 API; None for any other value."""
    if isinstance(value, (Mapping, np.ndarray, str, bytes)):
        return None
    if all(hasattr(value, name) for name in ("indices", "values", "dense_shape")):
        return SparseTensor(_array(value.indices), _array(value.values), _array(value.dense_shape))
    if hasattr(value, "values") and hasattr(value, "row_splits"):
        inner = composite_of(value.values)
        return RaggedTensor(_array(value.values) if inner is None else inner, _array(value.row_splits))
    return None


def parts_of(value: SparseTensor | RaggedTensor) -> dict[str, Any]:
    """The map for it in a message."""
    if isinstance(value, SparseTensor):
        return {"indices": value.indices, "values": value.values, "dense_shape": value.dense_shape}
    return {"values": value.values, "row_splits": value.row_splits}


def output_of(item: Any) -> Any:
    """An output of an answer. A map of parts becomes a sparse or ragged tensor."""
    if not isinstance(item, dict):
        return item
    parts = cast("dict[str, Any]", item)
    if parts.keys() == {"indices", "values", "dense_shape"}:
        return SparseTensor(**parts)
    if parts.keys() == {"values", "row_splits"}:
        return RaggedTensor(output_of(parts["values"]), parts["row_splits"])
    return cast(Any, item)


def _array(value: Any) -> Any:
    """Lists of numbers take the dtype that the signature asks for, and stay as they are."""
    return cast(Any, value) if isinstance(value, (list, tuple)) else np.asarray(value)
