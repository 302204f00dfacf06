"""The vectors that both clients and the server's codec share: the same values, the same bytes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tfjs_serving_client import BFLOAT16, decode, encode

VECTORS = {
    vector["name"]: vector
    for vector in json.loads((Path(__file__).resolve().parents[2] / "vectors.json").read_text())["vectors"]
}


def value_of(described):
    [(kind, content)] = described.items()
    if kind == "tensor":
        return tensor_of(content)
    if kind == "map":
        return {key: value_of(each) for key, each in content}
    if kind == "list":
        return [value_of(each) for each in content]
    convert = {"text": str, "bytes": bytes.fromhex, "int": int, "float": float, "bool": bool, "null": lambda _: None}
    return convert[kind](content)


def tensor_of(tensor):
    name, shape = tensor["dtype"], tensor["shape"]
    if name == "string":
        array = np.empty(len(tensor["strings"]), dtype=object)
        array[:] = [bytes.fromhex(string) for string in tensor["strings"]]
        return array.reshape(shape)
    dtype = BFLOAT16 if name == "bfloat16" else np.dtype(name).newbyteorder("<")
    return np.frombuffer(bytes.fromhex(tensor["bytes"]), dtype).reshape(shape)


def assert_same(got, want):
    if isinstance(want, np.ndarray):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert got.tolist() == want.tolist() if want.dtype == object else got.tobytes() == want.tobytes()
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            assert_same(got[key], want[key])
    elif isinstance(want, list):
        assert len(got) == len(want)
        for each, other in zip(got, want):
            assert_same(each, other)
    elif isinstance(want, float):
        assert isinstance(got, float)
        assert (math.isnan(got) and math.isnan(want)) or (got == want and math.copysign(1, got) == math.copysign(1, want))
    else:
        assert type(got) is type(want) and got == want


def test_there_are_vectors():
    assert VECTORS


@pytest.mark.parametrize("name", VECTORS)
def test_is_written_as_the_vector_says(name):
    assert encode(value_of(VECTORS[name]["value"])).hex() == VECTORS[name]["cbor"]


@pytest.mark.parametrize("name", VECTORS)
def test_is_read_as_the_vector_says(name):
    assert_same(decode(bytes.fromhex(VECTORS[name]["cbor"])), value_of(VECTORS[name]["value"]))
