"""float64 and int64 as the dtype that a model takes."""

import numpy as np
import pytest

from tfjs_serving_client import LossyCastError, from_bfloat16
from tfjs_serving_client._casting import as_input, cast_inputs


def cast(value, dtype):
    return cast_inputs({"image": value}, {"image": dtype}, "`serving_default` of `m`")["image"]


@pytest.mark.parametrize(
    "values, dtype",
    [
        ([0.5, np.nan, -np.inf], "float32"),
        ([0.5, -0.25], "float16"),
        ([3.0, -4.0], "int8"),
        ([255.0], "uint8"),
        ([1 << 24], "float32"),
        ([-(1 << 31), (1 << 31) - 1], "int32"),
        ([1, 0], "bool"),
        ([1, 2], "uint64"),
        ([1.5], "complex64"),
        ([[1.0]], "float64"),
    ],
)
def test_what_loses_nothing_is_cast(values, dtype):
    array = np.array(values)
    got = cast(array, dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.astype(array.dtype) if dtype != "complex64" else got.real, array)


def test_bfloat16_is_cast_where_it_is_exact():
    assert from_bfloat16(cast(np.array([1.5, -2.0]), "bfloat16")).tolist() == [1.5, -2.0]
    with pytest.raises(LossyCastError, match=r"send to_bfloat16\(image\)"):
        cast(np.array([1.001]), "bfloat16")


@pytest.mark.parametrize(
    "values, dtype",
    [
        ([0.1], "float32"),
        ([1e300], "float32"),
        ([0.5], "int32"),
        ([np.nan], "int64"),
        ([2.0**63], "int64"),
        ([-1], "uint64"),
        ([-1.0], "uint8"),
        ([256], "uint8"),
        ([(1 << 24) + 1], "float32"),
        ([(1 << 63) - 1], "float64"),
        ([(1 << 63) - 1], "float32"),
        ([2], "bool"),
    ],
)
def test_what_would_change_a_value_names_the_line_to_write(values, dtype):
    name = "bool_" if dtype == "bool" else dtype
    with pytest.raises(LossyCastError, match=rf"image\.astype\(np\.{name}\)"):
        cast(np.array(values), dtype)


def test_other_dtypes_are_left_to_the_server():
    for array in (np.ones(1, np.float32), np.ones(1, np.uint8), [0.5], "text"):
        assert cast(array, "int32") is array


def test_lists_of_arrays_are_stacked():
    stacked = as_input([np.ones(2, np.float32), np.zeros(2, np.float32)])
    assert stacked.dtype == np.float32 and stacked.shape == (2, 2)
    assert as_input([1, 2]) == [1, 2]
