"""Image files of every kind against the server: its pixels are those of the format and of Pillow, or it refuses.

TFJS_SERVING_URL names a server with --model-path test/models.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from itertools import chain

import httpx
import numpy as np
import pytest
from images.bmp_files import bmp_files, broken_bmp_files
from images.gif_files import broken_gif_files, gif_files
from images.image_file import ImageFile
from images.jpeg_files import broken_jpeg_files, jpeg_files
from images.png_files import broken_png_files, png_files
from PIL import Image

SIGNATURES = ("grey", "colour", "opacity")
FILES = {file.name: file for file in chain(png_files(), bmp_files(), gif_files(), jpeg_files())}
BROKEN = [
    *(("PNG", *each) for each in broken_png_files()),
    *(("BMP", *each) for each in broken_bmp_files()),
    *(("GIF", *each) for each in broken_gif_files()),
    *(("JPEG", *each) for each in broken_jpeg_files()),
]

# What is refused although it is a good file: by name, for which inputs, and what the refusal says. docs/bodies.md has why.
REFUSED = [
    (r"colour[03]-[124]bit.*-trns\.png", ("opacity",), "a PNG of less than 8 bits with transparency"),
    (r".*transparent\.gif", ("opacity",), "a GIF with transparency|leaves an edge free"),
    (r"smaller-than-its-screen.*\.gif", SIGNATURES, "leaves an edge free"),
    (r"[14]bit.*\.bmp", SIGNATURES, r"one of [14] bits?: send PNG|for OS/2"),
    (r"8bit(-top-down|-few-colours)?\.bmp", SIGNATURES, "one with a palette"),
    (r"(24bit-os2|24bit-os2-v2-short|8bit-os2)\.bmp", SIGNATURES, "one for OS/2"),
    (r"16bit\.bmp", SIGNATURES, "one of 16 bits"),
    (r"16bit-.*\.bmp|rle[48]\.bmp", SIGNATURES, "a compressed one"),
    (r"32bit-(other|high|wide)-.*\.bmp", SIGNATURES, "whose colours lie elsewhere"),
    (r"sampling-4x4\.jpg", SIGNATURES, "damaged JPEG"),
    (r"four-channels-adobeNone\.jpg", SIGNATURES, "which way its inks count"),
]
# Where Pillow reads a file in another way than its specification has it, or not at all.
PILLOW_DIFFERS = re.compile(
    # The transparent grey of few bits, and that of sixteen, is compared with samples that were stretched or cut before.
    r"colour0-(1|2|4|16)bit(-interlaced)?-trns\.png|colour2-16bit(-interlaced)?-trns\.png"
    r"|4bit-grey\.bmp|16bit-4444\.bmp|24bit-os2-v2-short\.bmp|32bit-(other-masks|wide-masks|v5)\.bmp|sampling-4x4\.jpg"
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    url = os.environ.get("TFJS_SERVING_URL")
    if not url:
        pytest.skip("TFJS_SERVING_URL names no server")
    with httpx.Client(base_url=url.rstrip("/")) as opened:
        yield opened


def ask(client: httpx.Client, data: bytes, signature: str) -> np.ndarray | str:
    """The pixels that the model got, or the text of the refusal, which is a 400."""
    response = client.post(
        "/models/images/infer",
        params={"signature": signature},
        files={"image": ("file", data)},
        headers={"accept": "application/x-npz"},
    )
    if response.status_code != 200:
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "INVALID_ARGUMENT"), error
        return error["message"]
    with np.load(io.BytesIO(response.content)) as arrays:
        return arrays["pixels"]


def by_pillow(data: bytes) -> np.ndarray:
    """uint8 [height, width, 4], of sixteen bits the high ones."""
    image = Image.open(io.BytesIO(data))
    image.load()
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("RGBA"))
    grey = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def grey_of(file: ImageFile, rgba: np.ndarray) -> np.ndarray:
    """As Pillow makes it: of a JPEG what it has of lightness, else the weights of ITU-R BT.601."""
    image = Image.open(io.BytesIO(file.data)) if file.rgba is None else None
    if image and image.format == "JPEG" and image.mode != "CMYK":
        image.draft("L", image.size)
        return np.asarray(image.convert("L"))
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgba[..., :3])).convert("L"))


@pytest.mark.parametrize("name", [name for name in FILES if not PILLOW_DIFFERS.fullmatch(name)])
def test_pillow_reads_the_file_as_the_suite_means_it(name: str) -> None:
    file = FILES[name]
    if file.rgba is not None:
        np.testing.assert_array_equal(by_pillow(file.data), file.rgba)


@pytest.mark.parametrize("name", FILES)
def test_the_pixels_are_those_of_the_file(client: httpx.Client, name: str) -> None:
    file = FILES[name]
    refusals = {
        signature: text for pattern, signatures, text in REFUSED if re.fullmatch(pattern, name) for signature in signatures
    }
    reference = file.rgba
    for signature in SIGNATURES:
        came = ask(client, file.data, signature)
        if signature in refusals:
            assert isinstance(came, str), f"{signature}: was to be refused"
            assert re.search(refusals[signature], came)
            assert came.startswith("input `image`")
            continue
        assert not isinstance(came, str), came
        if reference is None:
            reference = by_pillow(file.data)
        pixels = {"grey": lambda: grey_of(file, reference)[..., None], "colour": lambda: reference[..., :3]}
        expected = pixels.get(signature, lambda: reference)()
        assert came.shape == expected.shape
        # TensorFlow cuts where Pillow rounds when it makes colours of inks.
        most = 1 if re.match("cmyk|four-channels", name) else 0
        np.testing.assert_allclose(came.astype(int), expected.astype(int), rtol=0, atol=most, err_msg=signature)


@pytest.mark.parametrize("kind, what, data", BROKEN, ids=[f"{kind}, {what}" for kind, what, _ in BROKEN])
def test_no_pixels_are_made_of_a_broken_file(client: httpx.Client, kind: str, what: str, data: bytes) -> None:
    for signature in SIGNATURES:
        came = ask(client, data, signature)
        assert isinstance(came, str), f"{kind} with {what} for {signature} became {came.shape}"
        assert "input `image`" in came


@pytest.mark.parametrize("name", [name for name in FILES if re.search("1bit|rle|cmyk-1x1|smaller", name)])
def test_a_model_that_takes_files_gets_each_as_it_is(client: httpx.Client, name: str) -> None:
    response = client.post(
        "/models/identity/infer",
        params={"signature": "string"},
        files={"x": (name, FILES[name].data)},
        headers={"accept": "application/cbor"},
    )
    assert response.status_code == 200, response.text
    assert FILES[name].data in response.content
