"""float64 and int64 as the dtype that a model takes."""

import numpy as np
import pytest
from PIL import Image

from tfjs_serving_client import LossyCastError, from_bfloat16
from tfjs_serving_client._casting import as_input, cast_inputs


def cast(value, dtype):
    return cast_inputs({"image": value}, {"image": dtype}, "`serving_default` of `m`")["image"]


@pytest.mark.parametrize(
    "values, dtype",
    [
        ([0.1, np.nan, -np.inf, 1e-300], "float32"),
        ([0.1, -0.25], "float16"),
        ([0.1], "complex64"),
        ([[0.1]], "float64"),
        ([(1 << 24) + 1, (1 << 63) - 1], "float32"),
        ([(1 << 63) - 1], "float64"),
        ([-(1 << 31), (1 << 31) - 1], "int32"),
        ([0, 255], "uint8"),
        ([1, 0], "bool"),
        ([1, 2], "uint64"),
        ([], "int32"),
    ],
)
def test_floats_are_rounded_and_whole_numbers_kept(values, dtype):
    array = np.array(values, None if values else np.int64)
    got = cast(array, dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, array.astype(dtype))
    if np.dtype(dtype).kind in "iub":
        assert got.tolist() == array.tolist()


def test_bfloat16_is_rounded():
    assert from_bfloat16(cast(np.array([1.5, -2.0, 1.001]), "bfloat16")).tolist() == [1.5, -2.0, 1.0]
    with pytest.raises(LossyCastError, match=r"send to_bfloat16\(image\)"):
        cast(np.array([3.4e38]), "bfloat16")


@pytest.mark.parametrize(
    "values, dtype, why",
    [
        ([1e300], "float32", "cannot hold all its values"),
        ([70000.0], "float16", "cannot hold all its values"),
        ([70000], "float16", "cannot hold all its values"),
        ([3.0], "int32", "would cut off"),
        ([np.nan], "int64", "would cut off"),
        ([1.0], "bool", "would cut off"),
        ([-1], "uint64", "cannot hold all its values"),
        ([256], "uint8", "cannot hold all its values"),
        ([2], "bool", "cannot hold all its values"),
    ],
)
def test_what_does_not_fit_names_the_line_to_write(values, dtype, why):
    name = "bool_" if dtype == "bool" else dtype
    with pytest.raises(LossyCastError, match=rf"{why}.*image\.astype\(np\.{name}\)"):
        cast(np.array(values), dtype)


def test_other_dtypes_are_left_to_the_server():
    for array in (np.ones(1, np.float32), np.ones(1, np.uint8), [0.5], "text"):
        assert cast(array, "int32") is array


def test_lists_of_arrays_are_stacked():
    stacked = as_input([np.ones(2, np.float32), np.zeros(2, np.float32)])
    assert stacked.dtype == np.float32 and stacked.shape == (2, 2)
    assert as_input([1, 2]) == [1, 2]


def test_images_of_pillow_are_arrays():
    image = as_input(Image.new("RGB", (3, 2), (255, 0, 7)))
    assert image.shape == (2, 3, 3) and image.dtype == np.uint8
    assert image[0, 0].tolist() == [255, 0, 7]
