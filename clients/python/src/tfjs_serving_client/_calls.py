"""The calls, as generators: they yield what is to be sent, and `Client` and `AsyncClient` send it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, TypeVar, Union, cast
from urllib.parse import quote, urlencode

from ._casting import as_input, cast_inputs, needs_spec
from ._composites import output_of
from ._errors import DeadlineExceededError, InvalidArgumentError, ServingError, UnavailableError, error_from
from ._images import InputSpec
from ._protocol import binary_to_dict, encode
from ._retries import Retries, parse_retry_after

CBOR = "application/cbor"


@dataclass(frozen=True)
class Answer:
    """What a model answered: `outputs` by name, and the version and generation that made them.

    An output is an array, a SparseTensor or a RaggedTensor. The arrays are read-only, most of them views on the message;
    `.copy()` gives one of your own.
    """

    model: str
    version: int
    generation: int
    outputs: dict[str, Any]
    request_id: str


class Send(NamedTuple):
    """A request to send. `timeout` is the time that is left, in seconds."""

    method: str
    path: str
    headers: dict[str, str]
    content: Optional[bytes]
    timeout: float


class Wait(NamedTuple):
    seconds: float


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


class NoReply(Exception):
    """Thrown into a call in place of a reply."""


class NotConnected(NoReply):
    """Nothing was sent."""


class Late(NoReply):
    """The time was up."""


Result = TypeVar("Result")
Call = Generator[Union[Send, Wait], Optional[Reply], Result]


class Target(NamedTuple):
    """The target of an inference. All fields are None for the default model."""

    model: Optional[str]
    version: Optional[int]
    label: Optional[str]

    @property
    def path(self) -> str:
        if self.model is None:
            return "/infer"
        path = f"/models/{quote(self.model, safe='')}"
        if self.version is not None:
            path += f"/versions/{self.version}"
        if self.label is not None:
            path += f"/labels/{quote(self.label, safe='')}"
        return f"{path}/infer"


class Specs(NamedTuple):
    """The inputs of a model, by signature and name."""

    model: str
    version: int
    generation: int
    default: Optional[str]
    inputs: Mapping[str, Mapping[str, InputSpec]]


class Calls:
    """The calls of one client, and the facts about models that it remembers."""

    def __init__(self, timeout: float, retries: Retries):
        self._timeout = timeout
        self._retries = retries
        self._known: dict[Target, Specs] = {}

    def infer(
        self,
        inputs: Mapping[str, Any],
        target: Target,
        signature: str | None,
        outputs: Sequence[str] | None,
        timeout: float | None,
    ) -> Call[Answer]:
        if target.version is not None and target.label is not None:
            raise ValueError("give a version or a label, not both")
        if target.model is None and (target.version is not None or target.label is not None):
            raise ValueError("a version or label is one of a model: give the model, too")
        if not isinstance(cast(Any, inputs), Mapping):
            raise TypeError(f"inputs are arrays by name, as {{'x': array}}; got {type(inputs).__name__}")
        deadline = self._deadline(timeout)
        envelope: dict[str, Any] = {"inputs": {name: as_input(value) for name, value in inputs.items()}}
        if signature is not None:
            envelope["signature"] = signature
        if outputs is not None:
            envelope["outputs"] = [outputs] if isinstance(outputs, str) else list(outputs)
        if not any(map(needs_spec, envelope["inputs"].values())):
            return (yield from self._infer(envelope, target, deadline))
        return (yield from self._infer_cast(envelope, target, deadline))

    def update_model(self, request: Mapping[str, Any], timeout: float) -> Call[dict[str, Any]]:
        body = {key: value for key, value in request.items() if value is not None}
        # The server should report that the time is up, because it knows why.
        deadline = self._deadline(timeout + 10)
        return binary_to_dict((yield from self._ask("POST", "/update_model", {**body, "timeout": timeout}, deadline))[0].content)

    def get(self, path: str, timeout: float | None) -> Call[dict[str, Any]]:
        return (yield from self._get(path, self._deadline(timeout)))

    def _deadline(self, timeout: float | None) -> float:
        seconds = self._timeout if timeout is None else timeout
        if not seconds > 0:
            raise ValueError(f"a timeout is a positive number of seconds, not {seconds}")
        return time.monotonic() + seconds

    def _infer_cast(self, envelope: Mapping[str, Any], target: Target, deadline: float) -> Call[Answer]:
        known = self._known.get(target)
        if known is not None:
            try:
                return (yield from self._infer(_cast(envelope, known), target, deadline))
            except InvalidArgumentError:
                fresh = yield from self._fetch_specs(target, deadline)
                if fresh.inputs == known.inputs:
                    raise
        else:
            fresh = yield from self._fetch_specs(target, deadline)
        return (yield from self._infer(_cast(envelope, fresh), target, deadline))

    def _infer(self, envelope: Mapping[str, Any], target: Target, deadline: float) -> Call[Answer]:
        query, body = _request_of(envelope)
        reply, request_id = yield from self._ask("POST", f"{target.path}{query}", body, deadline)
        answer = binary_to_dict(reply.content)
        known = self._known.get(target)
        # A version that was asked for by number or label says nothing of the one that serves.
        if known is not None and target.version is None and target.label is None:
            if (known.version, known.generation) != (answer["version"], answer["generation"]):
                self._known.pop(target, None)
        outputs = {name: output_of(item) for name, item in answer["outputs"].items()}
        return Answer(answer["model"], answer["version"], answer["generation"], outputs, request_id)

    def _fetch_specs(self, target: Target, deadline: float) -> Call[Specs]:
        described = yield from self._get(info_path(target.model), deadline)
        signatures: dict[str, Any] = described["signatures"]
        specs = Specs(
            described["model" if target.model is None else "name"],
            described["version"],
            described["generation"],
            next((name for name, signature in signatures.items() if signature["default"]), None),
            {
                name: {key: InputSpec.of(spec) for key, spec in signature["inputs"].items()}
                for name, signature in signatures.items()
            },
        )
        self._known[target] = specs
        return specs

    def _get(self, path: str, deadline: float) -> Call[dict[str, Any]]:
        reply, _ = yield from self._ask("GET", path, None, deadline)
        return binary_to_dict(reply.content)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, deadline: float) -> Call[tuple[Reply, str]]:
        """Sends until there is an answer other than 503, or no more attempts or time."""
        request_id = uuid.uuid4().hex
        content = None if body is None else encode(body)
        headers = {"accept": CBOR, "x-request-id": request_id}
        if content is not None:
            headers["content-type"] = CBOR
        failures = 0
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeadlineExceededError("the time is up", request_id=request_id)
            headers["x-request-timeout"] = f"{max(left, 0.001):.3f}"
            try:
                reply = yield Send(method, path, headers, content, left)
                assert reply is not None
                if reply.status < 300:
                    return reply, request_id
                error = _error_in(reply, request_id)
                if reply.status != 503:
                    raise error
            except NotConnected as failure:
                error = UnavailableError(str(failure), request_id=request_id)
            except Late as late:
                raise DeadlineExceededError("no answer came in time", request_id=request_id) from late
            except NoReply as failure:
                # It may have been run, so the caller must decide whether to ask again.
                raise UnavailableError(str(failure), request_id=request_id) from failure
            failures += 1
            wait = self._retries.wait(failures, error.retry_after)
            if failures >= self._retries.attempts or wait >= deadline - time.monotonic():
                raise error
            yield Wait(wait)


def info_path(model: str | None) -> str:
    return "/model_info" if model is None else f"/models/{quote(model, safe='')}"


def _error_in(reply: Reply, request_id: str) -> ServingError:
    return error_from(reply.status, reply.content, request_id, parse_retry_after(reply.headers.get("retry-after")))


def _request_of(envelope: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The query and the body. Within an envelope, inputs called dtype, shape and data would be one tensor."""
    inputs = envelope["inputs"]
    if set(inputs) != {"dtype", "shape", "data"}:
        return "", envelope
    chosen = {key: envelope[key] for key in ("signature", "outputs") if key in envelope}
    return f"?{urlencode(chosen, doseq=True)}" if chosen else "", inputs


def _cast(envelope: Mapping[str, Any], specs: Specs) -> dict[str, Any]:
    signature = envelope.get("signature", specs.default)
    taker = f"`{signature}` of `{specs.model}`"
    return {**envelope, "inputs": cast_inputs(envelope["inputs"], specs.inputs.get(signature, {}), taker)}
