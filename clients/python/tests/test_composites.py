"""Sparse and ragged tensors, without a server: what is taken for one, and what is sent."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from tfjs_serving_client import LossyCastError, RaggedTensor, SparseTensor, decode, encode
from tfjs_serving_client._casting import as_input, cast_inputs
from tfjs_serving_client._images import InputSpec
from tfjs_serving_client._composites import output_of


class SparseTensorValue(NamedTuple):
    """As TensorFlow's TF1 API has it: a tuple, and no list of three arrays."""

    indices: Any
    values: Any
    dense_shape: Any


INDICES, SHAPE = np.array([[0, 1], [1, 3]]), np.array([2, 4])
VALUES = np.array([1.5, 2], np.float32)


@pytest.mark.parametrize("made_by", [SparseTensor, SparseTensorValue])
def test_a_sparse_tensor_is_a_map_of_its_parts_whoever_made_it(made_by):
    parts = {"indices": INDICES, "values": VALUES, "dense_shape": SHAPE}
    assert encode({"x": as_input(made_by(**parts))}) == encode({"x": made_by(**parts)}) == encode({"x": parts})


def test_a_ragged_tensor_is_a_map_within_a_map_for_each_dim():
    ragged = RaggedTensor(RaggedTensor(VALUES, np.array([0, 1, 2])), np.array([0, 2]))
    item = decode(encode(as_input(ragged)))
    assert item["row_splits"].tolist() == [0, 2]
    assert item["values"]["row_splits"].tolist() == [0, 1, 2]
    answer = output_of(item)
    assert isinstance(answer, RaggedTensor) and isinstance(answer.values, RaggedTensor)
    assert answer.values.values.tolist() == VALUES.tolist()


def test_only_values_are_cast():
    wide = SparseTensor(INDICES, np.array([1.0, 2.5]), SHAPE)
    cast = cast_inputs({"x": as_input(wide)}, {"x": InputSpec("float32", None)}, "a model")["x"]
    assert (cast.values.dtype, cast.indices.dtype) == (np.float32, INDICES.dtype)
    with pytest.raises(LossyCastError):
        cast_inputs({"x": as_input(wide)}, {"x": InputSpec("int32", None)}, "a model")
    nested = RaggedTensor(RaggedTensor(np.array([1, 2]), np.array([0, 1, 2])), np.array([0, 2]))
    assert cast_inputs({"x": nested}, {"x": InputSpec("int32", None)}, "a model")["x"].values.values.dtype == np.int32


def test_rows_of_several_lengths_stay_rows():
    rows = [np.array([1.0, 2.0]), np.array([3.0])]
    assert as_input(rows) is rows
    assert as_input([rows, rows[:1]]) == [rows, rows[:1]]
    assert as_input([rows[0], rows[0]]).shape == (2, 2)
    assert as_input([[rows[0]], [rows[0]]]).shape == (2, 1, 2)


def test_a_dict_of_parts_stays_a_dict():
    assert as_input({"values": VALUES, "row_splits": SHAPE})["values"] is VALUES
