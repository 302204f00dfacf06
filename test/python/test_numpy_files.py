"""NumPy's own files against the server: what np.save and np.savez write goes in, what np.load reads comes out.

TFJS_SERVING_URL names a server with --model-path test/models; TFJS_SERVING_DEMO_URL one with saved_models.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import httpx
import ml_dtypes
import numpy as np
import pytest
from PIL import Image

NPY, NPZ = "application/x-npy", "application/x-npz"
CLIENT = httpx.Client()

ARRAYS = {
    "bool": np.array([[True, False]]),
    "int8": np.array([-128, 127], np.int8),
    "int16": np.array([-(2**15), 2**15 - 1], np.int16),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int64": np.array([-(2**63), 2**53 + 1], np.int64),
    "uint8": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "uint16": np.array(65535, np.uint16),
    "uint32": np.array([2**32 - 1], np.uint32),
    "uint64": np.array([2**64 - 1], np.uint64),
    "float16": np.array([0.1, np.inf, np.nan], np.float16),
    "float32": np.zeros((0, 3), np.float32),
    "float64": np.array([1e300, -0.0]),
    "complex64": np.array([1 + 2j], np.complex64),
    "complex128": np.array([[1e300 - 2j]]),
    "string": np.array([b"a", b"", "é".encode()]),
}


def server(variable: str = "TFJS_SERVING_URL") -> str:
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} names no server")
    return url.rstrip("/")


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def saved_all(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def ask(signature: str, body: bytes, content_type: str) -> dict[str, np.ndarray]:
    response = httpx.post(
        f"{server()}/models/identity/infer",
        params={"signature": signature},
        content=body,
        headers={"content-type": content_type, "accept": NPZ},
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == NPZ
    with np.load(io.BytesIO(response.content)) as arrays:
        return dict(arrays)


def check(signature: str, sent: np.ndarray, body: bytes, content_type: str) -> None:
    came = ask(signature, body, content_type)["y"]
    expected = sent.astype(sent.dtype.newbyteorder("<"))
    assert (came.dtype, came.shape) == (expected.dtype, expected.shape)
    assert came.tobytes() == expected.tobytes()


@pytest.mark.parametrize("signature", ARRAYS)
def test_every_dtype_comes_back(signature: str) -> None:
    array = ARRAYS[signature]
    check(signature, array, saved(array), NPY)
    check(signature, array, saved_all(x=array), NPZ)
    check(signature, array, saved_all(compressed=True, x=array), NPZ)


@pytest.mark.parametrize("signature", [name for name in ARRAYS if name not in ("bool", "string")])
def test_other_orders_are_put_right(signature: str) -> None:
    array = np.asfortranarray(np.resize(ARRAYS[signature], (2, 3)))
    check(signature, array, saved(array.astype(array.dtype.newbyteorder(">"))), NPY)


def test_bfloat16_is_two_bytes_to_numpy() -> None:
    array = np.array([0.1, -2, np.inf], ml_dtypes.bfloat16)
    came = ask("bfloat16", saved(array), NPY)["y"].view(ml_dtypes.bfloat16)
    assert came.tobytes() == array.tobytes()


def test_texts_are_utf8() -> None:
    texts = np.array(["é", "", "\U0001f600"])
    came = ask("string", saved(texts), NPY)["y"]
    assert [each.decode() for each in came] == list(texts)


def test_objects_are_not_decoded() -> None:
    body = saved_objects()
    response = httpx.post(f"{server()}/models/identity/infer", content=body, headers={"content-type": NPY})
    assert response.status_code == 400
    assert "Python objects, which are never decoded" in response.json()["error"]["message"]


def saved_objects() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


def test_a_form_of_httpx() -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    state = np.arange(6, dtype=np.float32)
    url = f"{server('TFJS_SERVING_DEMO_URL')}/models/policy/infer"
    form = httpx.post(url, files={"image": ("image.npy", saved(image))}, data={"state": str(state.tolist())})
    assert form.status_code == 200, form.text
    arrays = saved_all(compressed=True, image=image, state=state)
    npz = httpx.post(url, content=arrays, headers={"content-type": NPZ, "accept": "application/json"})
    assert form.json() == npz.json()


def test_the_line_that_a_refusal_shows_works(tmp_path: Path) -> None:
    url = f"{server('TFJS_SERVING_DEMO_URL')}/models/policy/infer"
    refused: dict[str, Any] = httpx.post(url, data={"a": "1"}, files={"b": b"1"}).json()
    line = refused["error"]["example"]
    assert "-F 'image=@photo.jpg' " in line
    width, height = re.search(r"# (\d+) pixels wide, (\d+) high$", line).groups()
    Image.new("RGB", (int(width), int(height))).save(tmp_path / "photo.jpg")
    pasted = subprocess.run(["sh", "-c", line.replace("curl", "curl -s")], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert b'"status":"ok","model":"policy"' in pasted.stdout


# What stands before the values, in ways that NumPy reads or refuses.
HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
    '{"descr": "<f4", "fortran_order": False, "shape": (2,)}',
    "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
    "{'descr':'<f4','fortran_order':False,'shape':(2,)}",
    "\t{ 'descr' : '<f4' ,\t'fortran_order' : False , 'shape' : ( 2 , ) , }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L)}",
    "{'descr': 'float32', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0x2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': ('2',)}",
    "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': 'False', 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': false, 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shapes': (2,)}",
    "{'descr': '<f4', 'fortran_order': False}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",
    "{'descr': '<q9', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': 5, 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}}",
    "['descr', 'fortran_order', 'shape']",
    "",
]
# Read by NumPy, and refused here: sizes that are no decimal numbers, and dtypes by Python's names.
STRICTER = ("0x2", "(True", "'float32'", "'f4'", "'=f4'")


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("header", HEADERS)
def test_headers_are_read_as_numpy_reads_them(header: str, version: int) -> None:
    text = f"{header}\n".encode()
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    body = b"\x93NUMPY" + bytes([version, 0]) + length + text + np.array([1.5, -2], "<f4").tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = np.load(io.BytesIO(body))
        except Exception:
            expected = None
    response = CLIENT.post(
        f"{server()}/models/identity/infer", content=body, headers={"content-type": NPY, "accept": NPZ}
    )
    if response.status_code != 200:
        assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
        assert expected is None or any(part in header for part in STRICTER), response.text
        return
    # No Python 2 ever wrote format 3, so that NumPy does not look for its long integers there.
    if version == 3 and "2L" in header:
        return
    assert expected is not None, "NumPy refuses it"
    with np.load(io.BytesIO(response.content)) as arrays:
        np.testing.assert_array_equal(arrays["y"], expected, strict=False)
        assert arrays["y"].shape == expected.shape
