"""The two clients. They send what `_calls` asks for, over httpx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from ._calls import Answer, Call, Calls, Late, NoReply, NotConnected, Reply, Result, Send, Target, Wait, info_path
from ._retries import Retries
from ._tls import Cert, Verify, tls_advice, tls_settings

DEFAULT_URL = "http://127.0.0.1:50000"
# The server keeps an idle connection for 75 s. We stop earlier, so that no request meets a closing one.
_KEEPALIVE = 60.0


class Client:
    """A connection pool to one server, kept alive between calls. It may be shared by threads; `close` it, or use `with`.

    :param url: the server's, as http://127.0.0.1:50000
    :param api_key: sent as X-API-Key
    :param timeout: seconds for a call with all its retries, where the call names none
    :param verify: False, a file or folder of certificates, or an `ssl.SSLContext`; True trusts what httpx trusts
    :param cert: our own certificate: a file, or (certificate, key[, password])
    :param headers: sent with every request
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: Retries | None = None,
        verify: Verify = True,
        cert: Cert | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 100,
    ):
        self._calls = Calls(timeout, retries or Retries())
        self._http = httpx.Client(**_settings(url, api_key, verify, cert, headers, max_connections))

    def infer(
        self,
        inputs: Mapping[str, Any],
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Run a model, the default one if none is named.

        :param inputs: arrays by name, all with the batch dim or all without; images of Pillow are arrays, too. float64 arrays
            are cast to the floats that the model takes, int64 arrays to what holds their values; nothing else is cast
        :param outputs: the outputs to give, all by default
        :param timeout: seconds, retries included; the server hears of them, too
        :raises ServingError: one of its subclasses, by the server's code
        :raises LossyCastError: if a float64 or int64 array cannot be cast; it names the line to write
        """
        return self._run(self._calls.infer(inputs, Target(model, version, label), signature, outputs, timeout))

    def update_model(
        self,
        model: str | None = None,
        *,
        version: int | str | None = None,
        label: str | None = None,
        model_path: str | None = None,
        unload: bool = False,
        timeout: float = 60.0,
    ) -> dict[str, Any]:
        """Have the server look at its folder now, or hold a model at a version, or serve another folder.

        :param version: pins it; "latest" unpins
        :param label: pins the version that has it now
        :param model_path: a folder that the server may read, to serve instead
        :param unload: lets go of a model whose folder is gone
        :param timeout: seconds to wait until it serves
        :return: `status`, "ok" or "pending" if the time was up, and `models`
        """
        request = {
            "model": model,
            "version": version,
            "label": label,
            "model_path": model_path,
            "unload": True if unload else None,
        }
        return self._run(self._calls.update_model(request, timeout))

    def model_info(self, model: str | None = None, timeout: float | None = None) -> dict[str, Any]:
        """Signatures and more: of the default model as `/model_info` tells it, of another as `/models/{name}` does."""
        return self._run(self._calls.get(info_path(model), timeout))

    def models(self, timeout: float | None = None) -> dict[str, Any]:
        """`default_model` and `models`, with the state of every version."""
        return self._run(self._calls.get("/models", timeout))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Call[Result]) -> Result:
        try:
            step = next(call)
            while True:
                try:
                    reply = self._take(step)
                except NoReply as failure:
                    step = call.throw(failure)
                else:
                    step = call.send(reply)
        except StopIteration as done:
            return done.value

    def _take(self, step: Send | Wait) -> Reply | None:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        deadline = time.monotonic() + step.timeout
        request = self._http.build_request(
            step.method, step.path, headers=step.headers, content=step.content, timeout=step.timeout
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                chunks: list[bytes] = []
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    # The timeout of httpx is for each read, and not for all of them.
                    if time.monotonic() > deadline:
                        raise Late("the time is up")
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise _no_reply(error, request.url) from error
        return Reply(response.status_code, response.headers, b"".join(chunks))


class AsyncClient:
    """`Client` for asyncio: the same parameters and calls, to be awaited; `await close()`, or use `async with`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: Retries | None = None,
        verify: Verify = True,
        cert: Cert | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 100,
    ):
        self._calls = Calls(timeout, retries or Retries())
        self._http = httpx.AsyncClient(**_settings(url, api_key, verify, cert, headers, max_connections))

    async def infer(
        self,
        inputs: Mapping[str, Any],
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """See `Client.infer`."""
        return await self._run(self._calls.infer(inputs, Target(model, version, label), signature, outputs, timeout))

    async def update_model(
        self,
        model: str | None = None,
        *,
        version: int | str | None = None,
        label: str | None = None,
        model_path: str | None = None,
        unload: bool = False,
        timeout: float = 60.0,
    ) -> dict[str, Any]:
        """See `Client.update_model`."""
        request = {
            "model": model,
            "version": version,
            "label": label,
            "model_path": model_path,
            "unload": True if unload else None,
        }
        return await self._run(self._calls.update_model(request, timeout))

    async def model_info(self, model: str | None = None, timeout: float | None = None) -> dict[str, Any]:
        """See `Client.model_info`."""
        return await self._run(self._calls.get(info_path(model), timeout))

    async def models(self, timeout: float | None = None) -> dict[str, Any]:
        """See `Client.models`."""
        return await self._run(self._calls.get("/models", timeout))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, call: Call[Result]) -> Result:
        try:
            step = next(call)
            while True:
                try:
                    reply = await self._take(step)
                except NoReply as failure:
                    step = call.throw(failure)
                else:
                    step = call.send(reply)
        except StopIteration as done:
            return done.value

    async def _take(self, step: Send | Wait) -> Reply | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        sending = self._http.request(
            step.method, step.path, headers=step.headers, content=step.content, timeout=step.timeout
        )
        try:
            response = await asyncio.wait_for(sending, step.timeout)
        except asyncio.TimeoutError as error:
            raise Late("the time is up") from error
        except httpx.HTTPError as error:
            raise _no_reply(error, self._http.base_url.join(step.path)) from error
        return Reply(response.status_code, response.headers, response.content)


def _settings(
    url: str,
    api_key: str | None,
    verify: Verify,
    cert: Cert | None,
    headers: Mapping[str, str] | None,
    max_connections: int,
) -> dict[str, Any]:
    """The arguments of both of httpx's clients."""
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"url: expected an address that begins with http:// or https://, got {url!r}")
    own = {} if api_key is None else {"x-api-key": api_key}
    return {
        "base_url": url,
        "headers": {**(headers or {}), **own},
        "verify": tls_settings(verify, cert),
        "limits": httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=_KEEPALIVE
        ),
    }


def _no_reply(error: httpx.HTTPError, url: httpx.URL) -> NoReply:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = f"{'cannot reach' if isinstance(error, httpx.ConnectError) else 'no answer from'} {url}: {said}{tls_advice(said)}"
    if isinstance(error, httpx.TimeoutException):
        return Late(text)
    return NotConnected(text) if isinstance(error, httpx.ConnectError) else NoReply(text)
