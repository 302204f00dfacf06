"""`send_inference_request`, for code that was written for the server before this one."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from ._client import Client

_INFER_PATH = re.compile(r"(?P<prefix>.*?)(?:/models/(?P<model>[^/]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/]+))?)?/infer/?")


def send_inference_request(
    data: Mapping[str, Any],
    url: str = "http://127.0.0.1:50000/infer",
    *,
    timeout: float | None = None,
    api_key: str | None = None,
) -> dict[str, Any]:
    """Send a dict of arrays to an infer route; connections are kept for the next call.

    :param data: inputs by name, or `{"inputs", "signature", "outputs"}`
    :return: `status`, which is "ok", `model`, `version`, `generation` and `outputs`, arrays by name
    :raises ServingError: as `Client.infer`
    """
    parts = urlsplit(url)
    match = _INFER_PATH.fullmatch(parts.path)
    if match is None:
        raise ValueError(f"{url} is no infer route, as http://127.0.0.1:50000/infer")
    client = _client_for(f"{parts.scheme}://{parts.netloc}{match['prefix']}", api_key, os.getpid())
    inputs: Any = data.get("inputs")
    envelope = cast("Mapping[str, Any]", data if isinstance(inputs, Mapping) else {"inputs": data})
    answer = client.infer(
        envelope["inputs"],
        model=None if match["model"] is None else unquote(match["model"]),
        version=None if match["version"] is None else int(match["version"]),
        label=None if match["label"] is None else unquote(match["label"]),
        signature=envelope.get("signature"),
        outputs=envelope.get("outputs"),
        timeout=timeout,
    )
    return {
        "status": "ok",
        "model": answer.model,
        "version": answer.version,
        "generation": answer.generation,
        "outputs": answer.outputs,
    }


@functools.lru_cache(maxsize=16)
def _client_for(url: str, api_key: str | None, process: int) -> Client:
    """:param process: a fork must not write into its parent's connections"""
    return Client(url, api_key=api_key)
