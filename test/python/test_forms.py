"""The same form by six HTTP clients: whatever boundary, headers and escapes they write, the answer is the same.

TFJS_SERVING_URL names a server with --model-path test/models.
"""

from __future__ import annotations

import base64
import io
import os
from typing import Any

import numpy as np
import pytest
from form_clients import CLIENTS, File

URL = os.environ.get("TFJS_SERVING_URL")
pytestmark = pytest.mark.skipif(URL is None, reason="TFJS_SERVING_URL names no server")

BYTES = bytes(range(256))


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# By signature of the model `identity`: its field x, and what comes back.
ANSWERED: list[tuple[str, list[Any], Any]] = [
    ("float32", ["[1, 2]"], [1, 2]),
    ("float32", ["1", "2"], [1, 2]),
    ("float32", [File("x.json", b"[1.5]", "application/json")], [1.5]),
    ("float32", [File("X.JSON", b"[1.5]")], [1.5]),
    ("int64", [File("x.npy", saved(np.array([1, 2])))], [1, 2]),
    ("string", ["é\U0001f600 text"], "é\U0001f600 text"),
    ("string", [""], ""),
    ("string", ["a\r\nb"], "a\r\nb"),
    ("string", [File("a.bin", BYTES)], {"b64": base64.b64encode(BYTES).decode()}),
    ("string", [File("é.bin", b"\r\n--\r\n")], "\r\n--\r\n"),
    ("string", [File('a"b;c.bin', b"q")], "q"),
    ("string", [File("empty", b"")], ""),
    ("string", [File("x.txt", "é".encode(), "text/plain")], "é"),
]

# Names that the model does not have, and how the refusal has them: browsers and most clients escape quotes and ends of lines
# (https://html.spec.whatwg.org/#multipart-form-data), which nobody takes back.
NAMES: list[tuple[str, set[str], set[str]]] = [
    # aiohttp 3.13 cannot send this one, and escapes the space of the next.
    ("é", {"é"}, {"aiohttp"}),
    ("a b", {"a b", "a\\ b"}, set()),
    ("a;b", {"a;b"}, set()),
    ("a\\b", {"a\\b"}, set()),
    ('a"b', {"a%22b", 'a"b', "a\\%22b"}, set()),
]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_the_same_answers(client: str) -> None:
    forms = [
        (f"{URL}/models/identity/infer?signature={signature}", [("x", value) for value in values])
        for signature, values, _ in ANSWERED
    ]
    for (_, _, expected), (status, answer) in zip(ANSWERED, CLIENTS[client](forms)):
        assert (status, answer.get("outputs")) == (200, {"y": expected}), answer


@pytest.mark.parametrize("client", CLIENTS)
def test_names_arrive_as_they_were_meant(client: str) -> None:
    names = [(name, spellings) for name, spellings, unable in NAMES if client not in unable]
    forms = [(f"{URL}/models/identity/infer", [("x", "1"), (name, "1")]) for name, _ in names]
    for (_, spellings), (status, answer) in zip(names, CLIENTS[client](forms)):
        assert status == 400
        message = answer["error"]["message"]
        assert any(message.startswith(f"no input `{each}`: ") for each in spellings), answer
