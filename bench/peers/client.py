"""Asks a server for the answers to made-up inputs, first one alone, then all at once, each with its own connection.

The inputs are the same for every server. Prints, as JSON, the headers of a request and the numbers of each answer, and
writes the first body into a file, for wrk to send.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from formats import FORMATS, Arrays, Headers


class NotReady(Exception):
    """Status 503."""


def make_inputs(seed: int, specs: dict[str, dict]) -> Arrays:
    """One row of each input."""
    generator = np.random.default_rng(seed)
    inputs = {}
    for name, spec in specs.items():
        shape = (1, *spec["shape"])
        if spec["dtype"] == "uint8":
            inputs[name] = generator.integers(0, 256, shape, np.uint8)
        else:
            inputs[name] = generator.random(shape, np.float32)
    return inputs


def post(url: str, headers: Headers, body: bytes, timeout: float = 120) -> tuple[Headers, bytes]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", parts.path, body, dict(headers))
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status == 503:
        raise NotReady(answer[:500])
    if response.status != 200:
        raise HTTPException(f"{response.status} {answer[:500]!r}")
    return response.headers, answer


def post_when_ready(url: str, headers: Headers, body: bytes, patience: float) -> tuple[Headers, bytes]:
    """Tries again until the server answers, as it may still be loading."""
    give_up = time.monotonic() + patience
    while True:
        try:
            return post(url, headers, body, patience)
        except (OSError, NotReady):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--signature", type=json.loads, required=True, help="inputs (dtype, shape) and outputs")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--patience", type=float, default=120, help="seconds for the first answer")
    parser.add_argument("--body", type=Path, required=True)
    arguments = parser.parse_args()

    encode, decode = FORMATS[arguments.format]
    signature = arguments.signature
    requests = [
        encode(make_inputs(seed, signature["inputs"]), signature["outputs"]) for seed in range(arguments.count)
    ]
    headers, body = requests[0]
    arguments.body.write_bytes(body)
    answers = [decode(*post_when_ready(arguments.url, headers, body, arguments.patience))]

    start = threading.Barrier(len(requests))

    def ask(request: tuple[Headers, bytes]) -> np.ndarray:
        start.wait()
        return decode(*post(arguments.url, *request))

    with ThreadPoolExecutor(len(requests)) as pool:
        answers += pool.map(ask, requests)
    print(json.dumps({"headers": headers, "answers": [answer.tolist() for answer in answers]}))


if __name__ == "__main__":
    main()
