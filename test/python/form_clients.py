"""One form sent by the HTTP clients that people use: each writes its own boundary, headers and names."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Union

import aiohttp
import httpx
import requests
import urllib3


@dataclass(frozen=True)
class File:
    name: str
    data: bytes
    media_type: str = "application/octet-stream"


Field = Tuple[str, Union[str, File]]
Form = Tuple[str, List[Field]]
Answer = Tuple[int, Dict[str, Any]]


def by_requests(url: str, fields: list[Field]) -> Answer:
    # Everything as a file: one without a name is a value.
    files = [(name, (v.name, v.data, v.media_type) if isinstance(v, File) else (None, v)) for name, v in fields]
    response = requests.post(url, files=files, timeout=60)
    return response.status_code, response.json()


def by_httpx(url: str, fields: list[Field]) -> Answer:
    files = [(name, (v.name, v.data, v.media_type) if isinstance(v, File) else (None, v)) for name, v in fields]
    response = httpx.post(url, files=files)
    return response.status_code, response.json()


def by_urllib3(url: str, fields: list[Field]) -> Answer:
    parts = [(name, (v.name, v.data, v.media_type) if isinstance(v, File) else v) for name, v in fields]
    response = urllib3.request("POST", url, fields=parts)
    return response.status, response.json()


def by_aiohttp(url: str, fields: list[Field]) -> Answer:
    async def ask() -> Answer:
        form = aiohttp.FormData(default_to_multipart=True)
        for name, v in fields:
            if isinstance(v, File):
                form.add_field(name, v.data, filename=v.name, content_type=v.media_type)
            else:
                form.add_field(name, v)
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
            return response.status, await response.json()

    return asyncio.run(ask())


def by_curl(url: str, fields: list[Field]) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        arguments = []
        for i, (name, v) in enumerate(fields):
            file = Path(folder, str(i))
            file.write_bytes(v.data if isinstance(v, File) else v.encode())
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')
            told = f';filename="{v.name}";type={v.media_type}' if isinstance(v, File) else ""
            arguments += ["-F", f'{quoted}={"@" if told else "<"}{file}{told}']
        command = ["curl", "-s", "-w", "\n%{http_code}", *arguments, url]
        printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    body, _, status = printed.rpartition("\n")
    return int(status), json.loads(body)


def by_node(forms: list[Form]) -> list[Answer]:
    """fetch and FormData, as in a page; all in one process."""
    told = [
        [url, [[name, [v.name, v.data.hex(), v.media_type] if isinstance(v, File) else v] for name, v in fields]]
        for url, fields in forms
    ]
    program = """
      const answers = [];
      for (const [url, fields] of JSON.parse(process.argv[1])) {
        const form = new FormData();
        for (const [name, v] of fields)
          if (typeof v === 'string') form.append(name, v);
          else form.append(name, new Blob([Buffer.from(v[1], 'hex')], { type: v[2] }), v[0]);
        const response = await fetch(url, { method: 'POST', body: form });
        answers.push([response.status, await response.json()]);
      }
      console.log(JSON.stringify(answers));
    """
    node = os.environ.get("TFJS_SERVING_NODE", "node")
    command = [node, "--input-type=module", "-e", program, json.dumps(told)]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    return [(status, body) for status, body in json.loads(printed)]


def one_by_one(send: Callable[[str, list[Field]], Answer]) -> Callable[[list[Form]], list[Answer]]:
    return lambda forms: [send(url, fields) for url, fields in forms]


CLIENTS: dict[str, Callable[[list[Form]], list[Answer]]] = {
    "requests": one_by_one(by_requests),
    "httpx": one_by_one(by_httpx),
    "urllib3": one_by_one(by_urllib3),
    "aiohttp": one_by_one(by_aiohttp),
    "curl": one_by_one(by_curl),
    "node": by_node,
}
