"""float64 and int64 as the dtype that a model takes."""

import numpy as np
import pytest
from PIL import Image

from tfjs_serving_client import LossyCastError, from_bfloat16
from tfjs_serving_client._casting import as_input, cast_inputs
from tfjs_serving_client._images import InputSpec


def cast(value, dtype, shape=None):
    return cast_inputs({"image": value}, {"image": InputSpec(dtype, shape)}, "`serving_default` of `m`")["image"]


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
        ([3.0], "int32", "its values are whole"),
        ([1.0], "bool", "its values are whole"),
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


@pytest.mark.parametrize(
    "values, dtype, advice",
    [
        ([0.0, 0.5, 1.0], "uint8", "lie between 0 and 1: if they are pixels, send (255 * image).round().astype(np.uint8)"),
        ([0.5, 1.5], "uint8", "has no fractions: if rounding is meant, send image.round().astype(np.uint8)"),
        ([0.5], "int32", "has no fractions: if rounding is meant, send image.round().astype(np.int32)"),
        ([np.nan, 0.5], "int64", "has no NaN and no infinity: replace them before"),
    ],
)
def test_floats_for_whole_numbers_are_told_what_may_be_meant(values, dtype, advice):
    with pytest.raises(LossyCastError) as raised:
        cast(np.array(values), dtype)
    assert advice in str(raised.value)


def palette_image():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putdata([1, 0])
    return image


@pytest.mark.parametrize(
    "image, shape, pixels",
    [
        (Image.new("RGB", (1, 1), (255, 0, 7)), [-1, 1, 1, 3], [[[255, 0, 7]]]),
        (Image.new("RGBA", (1, 1), (255, 0, 7, 9)), [-1, 1, 1, 3], [[[255, 0, 7]]]),
        (Image.new("RGBA", (1, 1), (255, 0, 7, 9)), [-1, 1, 1, 4], [[[255, 0, 7, 9]]]),
        (Image.new("RGB", (1, 1), (255, 0, 7)), [1, 1, 4], [[[255, 0, 7, 255]]]),
        (Image.new("L", (2, 1), 8), [-1, 1, 2, 1], [[[8], [8]]]),
        (Image.new("L", (2, 1), 8), [-1, -1, -1, 3], [[[8] * 3, [8] * 3]]),
        (Image.new("1", (2, 1), 1), [-1, 1, 2], [[255, 255]]),
        (Image.new("1", (1, 1), 1), None, [[255]]),
        (palette_image(), [-1, 1, 2, 3], [[[200, 100, 0], [10, 20, 30]]]),
        (palette_image(), None, [[[200, 100, 0], [10, 20, 30]]]),
    ],
)
def test_images_of_pillow_have_the_channels_that_a_model_takes(image, shape, pixels):
    got = cast(as_input(image), "uint8", shape)
    assert got.dtype == np.uint8
    assert got.tolist() == pixels
    floats = cast(as_input(image), "float32", shape)
    assert floats.dtype == np.float32
    assert floats.tolist() == pixels


def test_lists_of_images_are_stacked_if_they_have_one_size():
    images = [Image.new("RGB", (3, 2), (i, 0, 7)) for i in range(2)]
    got = cast(as_input(images), "uint8", [-1, 2, 3, 3])
    assert got.shape == (2, 2, 3, 3)
    assert got[:, 0, 0, 0].tolist() == [0, 1]
    with pytest.raises(ValueError, match="`image` is a list of images of several sizes, 3x2 and 4x4: resize them to one"):
        cast([*images, Image.new("RGB", (4, 4))], "uint8", [-1, 2, 3, 3])


def test_deep_pixels_are_kept():
    image = Image.new("I;16", (1, 1), 40000)
    assert cast(as_input(image), "uint16", [1, 1, 1]).tolist() == [[[40000]]]
