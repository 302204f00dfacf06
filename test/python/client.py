"""A small client of tfjs-serving, as its tests use it: CBOR tensors over http.client, without TensorFlow.

A tensor is a NumPy array. Two dtypes need a word, since NumPy has no type for them: strings are object arrays of
`bytes`, and bfloat16 is `BFLOAT16`, its raw bits under that name.

Wire format (RFC 8746): tag 40 [shape, typed array] for every dtype that has a typed array there, tag 40 [shape, [byte
strings]] for strings, {"dtype", "shape", "data": bytes} for bool, bfloat16 and the complex ones, little-endian.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any, Mapping
from urllib.parse import urlsplit

import cbor2
import numpy as np
from cbor2 import CBORTag

CBOR = "application/cbor"

ROW_MAJOR, COLUMN_MAJOR, HOMOGENEOUS = 40, 1040, 41

# One named field keeps bfloat16 apart from uint16 without a package for it; comparing two such arrays compares bits.
BFLOAT16 = np.dtype([("bfloat16", "<u2")])

# RFC 8746 section 2.1. uint8 and int8 have no byte order; 68 is uint8 with clamped arithmetic, the same bytes.
LITTLE_ENDIAN_TAGS = {
    "uint8": 64, "uint16": 69, "uint32": 70, "uint64": 71,
    "int8": 72, "int16": 77, "int32": 78, "int64": 79,
    "float16": 84, "float32": 85, "float64": 86,
}
BIG_ENDIAN_TAGS = {
    "uint8": 64, "uint16": 65, "uint32": 66, "uint64": 67,
    "int8": 72, "int16": 73, "int32": 74, "int64": 75,
    "float16": 80, "float32": 81, "float64": 82,
}
TYPED_ARRAYS = {
    **{tag: np.dtype(name).newbyteorder("<") for name, tag in LITTLE_ENDIAN_TAGS.items()},
    **{tag: np.dtype(name).newbyteorder(">") for name, tag in BIG_ENDIAN_TAGS.items()},
    68: np.dtype("uint8"),
}
# dtypes without a typed array: these travel as {"dtype", "shape", "data"}.
RAW_DTYPES = {
    "bool": np.dtype("bool"),
    "bfloat16": BFLOAT16,
    "complex64": np.dtype("<c8"),
    "complex128": np.dtype("<c16"),
}


class ServerError(Exception):
    """The server refused: `http_status` and the error's `code`, as `INVALID_ARGUMENT`, with its message."""

    def __init__(self, http_status: int, code: str, message: str):
        super().__init__(f"{http_status} {code}: {message}")
        self.http_status = http_status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Answer:
    """What the server answered: `outputs` decoded, and `items`, the same outputs as they stood in the CBOR."""

    model: str
    version: int
    generation: int
    outputs: dict[str, np.ndarray]
    items: dict[str, Any]


def dtype_name(array: np.ndarray) -> str:
    """TensorFlow's name for an array's dtype, whatever its byte order."""
    if array.dtype == BFLOAT16:
        return "bfloat16"
    return "string" if array.dtype == object else array.dtype.name


def strings(*values: bytes) -> np.ndarray:
    """A vector of strings. NumPy's own bytes dtype would cut trailing zero bytes."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def encode_tensor(value: Any, *, big_endian: bool = False, column_major: bool = False) -> Any:
    """A tensor as the CBOR item cbor2 writes.

    :param value: anything `np.asarray` takes
    :raises TypeError: for a dtype TensorFlow does not have
    """
    array = np.asarray(value)
    name, shape = dtype_name(array), list(array.shape)
    if name in RAW_DTYPES:
        return {"dtype": name, "shape": shape, "data": array.astype(RAW_DTYPES[name]).tobytes()}
    order, tag = ("F", COLUMN_MAJOR) if column_major else ("C", ROW_MAJOR)
    if name == "string":
        return CBORTag(tag, [shape, [_as_bytes(element) for element in array.flatten(order)]])
    tags = BIG_ENDIAN_TAGS if big_endian else LITTLE_ENDIAN_TAGS
    if name not in tags:
        raise TypeError(f"no tensor has dtype {array.dtype}")
    data = array.astype(array.dtype.newbyteorder(">" if big_endian else "<")).tobytes(order)
    return CBORTag(tag, [shape, CBORTag(tags[name], data)])


def decode_tensor(item: Any) -> np.ndarray:
    """The tensor in a CBOR item, of native byte order; takes every form `encode_tensor` writes and bare typed arrays.

    :raises ValueError: if the item is no tensor, or its shape and its data disagree
    """
    if isinstance(item, Mapping):
        dtype = RAW_DTYPES.get(item["dtype"])
        if dtype is None:
            raise ValueError(f"{item['dtype']} does not travel as a map")
        return np.frombuffer(item["data"], dtype).reshape(item["shape"])
    if not isinstance(item, CBORTag):
        raise ValueError(f"not a tensor: {item!r:.80}")
    if item.tag in TYPED_ARRAYS:
        array = np.frombuffer(item.value, TYPED_ARRAYS[item.tag])
        return array.astype(array.dtype.newbyteorder("="))
    if item.tag not in (ROW_MAJOR, COLUMN_MAJOR):
        raise ValueError(f"not a tensor: tag {item.tag}")
    shape, values = item.value
    flat = strings(*map(_as_bytes, values)) if isinstance(values, (list, tuple)) else decode_tensor(values)
    return flat.reshape(shape, order="F" if item.tag == COLUMN_MAJOR else "C")


def flat_items(items: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors in CBOR items by name; those of a sparse or ragged one by the names of its parts, `x/row_splits`."""
    flat: dict[str, Any] = {}
    for name, item in items.items():
        if isinstance(item, Mapping) and "dtype" not in item:
            flat.update({f"{name}/{part}": tensor for part, tensor in flat_items(item).items()})
        else:
            flat[name] = item
    return flat


def post(url: str, body: Any, *, timeout: float = 60.0) -> Any:
    """POST one CBOR item and return the decoded answer.

    :raises ServerError: for every HTTP status but 200
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, cbor2.dumps(body), {"Content-Type": CBOR})
        response = connection.getresponse()
        data = response.read()
        content_type = response.getheader("Content-Type", "").split(";")[0]
        if content_type != CBOR:
            raise ServerError(response.status, "UNKNOWN", f"answered {content_type or 'no type'}: {data[:200]!r}")
        answer = cbor2.loads(data)
        if response.status != 200:
            error = answer["error"]
            raise ServerError(response.status, error["code"], error["message"])
        return answer
    finally:
        connection.close()


def infer_items(url: str, body: Any, *, timeout: float = 60.0) -> Answer:
    """Send a body whose tensors are CBOR items already, to an infer route, and decode the answer."""
    answer = post(url, body, timeout=timeout)
    if answer["status"] != "ok":
        raise ServerError(200, "UNKNOWN", f"status {answer['status']!r} under HTTP 200")
    items = flat_items(answer["outputs"])
    outputs = {name: decode_tensor(item) for name, item in items.items()}
    return Answer(answer["model"], answer["version"], answer["generation"], outputs, items)


def infer(
    url: str, inputs: Mapping[str, Any], *, signature: str | None = None, flat: bool = False, timeout: float = 60.0
) -> Answer:
    """Run a model on named tensors.

    :param url: an infer route, as http://127.0.0.1:50000/models/policy/infer
    :param flat: send {name: tensor} without the envelope, in which no signature can be named
    """
    if flat and signature is not None:
        raise ValueError("the flat form cannot name a signature")
    items = {name: encode_tensor(value) for name, value in inputs.items()}
    if flat:
        return infer_items(url, items, timeout=timeout)
    envelope: dict[str, Any] = {"inputs": items}
    if signature is not None:
        envelope["signature"] = signature
    return infer_items(url, envelope, timeout=timeout)


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
