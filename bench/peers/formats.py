"""How each server wants its tensors, and how it gives them back."""

from __future__ import annotations

import json
import pickle
from typing import Callable, Mapping, NamedTuple

import cbor2
import numpy as np

Arrays = dict[str, np.ndarray]
Headers = Mapping[str, str]

HEADER_LENGTH = "Inference-Header-Content-Length"
V2_DTYPES = {"float32": "FP32", "uint8": "UINT8"}
CBOR_TAGS = {"float32": 85, "uint8": 64}


class Format(NamedTuple):
    encode: Callable[[Arrays, list[str]], tuple[dict[str, str], bytes]]
    """One row of each input, and the names of the outputs, to headers and body."""
    decode: Callable[[Headers, bytes], np.ndarray]
    """Headers and body of an answer to the numbers of all outputs, in the order of their names."""


def flat(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(outputs[name]) for name in sorted(outputs)])


def encode_cbor(inputs: Arrays, _: list[str]) -> tuple[dict[str, str], bytes]:
    def tensor(rows: np.ndarray) -> cbor2.CBORTag:
        typed_array = cbor2.CBORTag(CBOR_TAGS[rows.dtype.name], rows.tobytes())
        return cbor2.CBORTag(40, [list(rows.shape[1:]), typed_array])

    body = cbor2.dumps({name: tensor(rows) for name, rows in inputs.items()})
    return {"content-type": "application/cbor"}, body


def decode_cbor(_: Headers, body: bytes) -> np.ndarray:
    outputs = cbor2.loads(body)["outputs"]
    return flat({name: np.frombuffer(tensor.value[1].value, "<f4") for name, tensor in outputs.items()})


def encode_pickle(inputs: Arrays, _: list[str]) -> tuple[dict[str, str], bytes]:
    return {"content-type": "application/octet-stream"}, pickle.dumps(inputs, protocol=5)


def decode_pickle(_: Headers, body: bytes) -> np.ndarray:
    return flat(pickle.loads(body))


def encode_raw(inputs: Arrays, _: list[str]) -> tuple[dict[str, str], bytes]:
    body = b"".join(inputs[name].tobytes() for name in sorted(inputs))
    # KServe takes application/octet-stream for JSON.
    return {"content-type": "application/x-tensors"}, body


def decode_raw(_: Headers, body: bytes) -> np.ndarray:
    return np.frombuffer(body, "<f4")


def encode_v2(inputs: Arrays, outputs: list[str]) -> tuple[dict[str, str], bytes]:
    header = {
        "inputs": [
            {
                "name": name,
                "shape": rows.shape,
                "datatype": V2_DTYPES[rows.dtype.name],
                "parameters": {"binary_data_size": rows.nbytes},
            }
            for name, rows in inputs.items()
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }
    text = json.dumps(header).encode()
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    return headers, text + b"".join(rows.tobytes() for rows in inputs.values())


def decode_v2(headers: Headers, body: bytes) -> np.ndarray:
    offset = int(headers[HEADER_LENGTH])
    outputs = {}
    for output in json.loads(body[:offset])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        outputs[output["name"]] = np.frombuffer(body[offset : offset + size], "<f4")
        offset += size
    return flat(outputs)


FORMATS = {
    "cbor": Format(encode_cbor, decode_cbor),
    "pickle": Format(encode_pickle, decode_pickle),
    "raw": Format(encode_raw, decode_raw),
    "v2": Format(encode_v2, decode_v2),
}
