"""NumPy's own files against the server: what np.save and np.savez write goes in, what np.load reads comes out.

TFJS_SERVING_URL names a server with --model-path test/models; TFJS_SERVING_DEMO_URL one with saved_models.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import Any

import httpx
import ml_dtypes
import numpy as np
import pytest

NPY, NPZ = "application/x-npy", "application/x-npz"

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


def test_the_line_that_a_refusal_shows_works() -> None:
    refused: dict[str, Any] = httpx.post(f"{server('TFJS_SERVING_DEMO_URL')}/models/policy/infer", data={"a": "1"}, files={"b": b"1"}).json()
    line = refused["error"]["example"]
    assert "np.zeros((480, 640, 3), np.uint8)" in line
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    pasted = subprocess.run(
        ["sh", "-c", f"{line} -s"], capture_output=True, check=True, env={**os.environ, "PATH": path}, timeout=60
    )
    assert b'"status":"ok","model":"policy"' in pasted.stdout
