"""The REST client of KServe's SDK, as it is on PyPI, against the server: every datatype, in binary and JSON, health, errors.

TFJS_SERVING_URL names a server with --model-path test/models.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import types
from typing import Any, Awaitable, Callable

import httpx
import numpy as np
import pytest
from open_inference_tensors import TENSORS

URL = os.environ.get("TFJS_SERVING_URL", "")

if sys.version_info < (3, 10):
    pytest.skip("the SDK of KServe needs Python 3.10", allow_module_level=True)
if URL == "":
    pytest.skip("TFJS_SERVING_URL is not set", allow_module_level=True)

# The package's own __init__ imports KServe's server and its client of Kubernetes, which need 60 packages more.
package = types.ModuleType("kserve")
package.__path__ = list(importlib.util.find_spec("kserve").submodule_search_locations)
sys.modules["kserve"] = package

from kserve.inference_client import InferenceRESTClient, RESTConfig  # noqa: E402
from kserve.protocol.infer_type import InferInput, InferRequest, InferResponse, RequestedOutput  # noqa: E402

# The SDK has no BF16, and sends FP16 in binary alone.
FORMS = [
    (signature, binary)
    for signature, (datatype, _) in TENSORS.items()
    for binary in (True, False)
    if datatype != "BF16" and (binary or datatype != "FP16")
]
# The SDK reads JSON with orjson, which knows no infinity.
FINITE = {"float32": np.array([0.1, -3.4e38], np.float32)}


def ask(task: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            return await task(client)

    return asyncio.run(run())


def request(signature: str, values: np.ndarray, binary: bool, outputs: Any = None) -> InferRequest:
    sent = InferInput("x", list(values.shape), TENSORS[signature][0])
    sent.set_data_from_numpy(values, binary_data=binary)
    parameters = {"signature": signature}
    return InferRequest("identity", [sent], request_id="an id", parameters=parameters, request_outputs=outputs)


def infer(sent: Any, model: str = "identity") -> InferResponse:
    return ask(lambda client: client.infer(URL, sent, model_name=model))


def check(answer: InferResponse, datatype: str, values: np.ndarray) -> None:
    (output,) = answer.outputs
    assert (output.name, output.datatype, output.shape) == ("y", datatype, list(values.shape))
    found = output.as_numpy()
    if datatype == "BYTES":
        found = np.array([each if isinstance(each, bytes) else each.encode() for each in found], object)
    assert np.array_equal(found, values)


@pytest.mark.parametrize("output", ["default", "binary", "json"])
@pytest.mark.parametrize(("signature", "binary"), FORMS)
def test_every_datatype(signature: str, binary: bool, output: str) -> None:
    datatype, values = TENSORS[signature]
    values = FINITE.get(signature, values)
    outputs = None if output == "default" else [RequestedOutput("y", {"binary_data": output == "binary"})]
    answer = infer(request(signature, values, binary, outputs))
    check(answer, datatype, values)
    assert (answer.id, answer.model_name) == ("an id", "identity")


def test_what_json_cannot_hold_goes_in_binary() -> None:
    values = np.array([np.nan, np.inf, 1], np.float32)
    outputs = [RequestedOutput("y", {"binary_data": True})]
    (output,) = infer(request("float32", values, True, outputs)).outputs
    assert np.array_equal(output.as_numpy(), values, equal_nan=True)


@pytest.mark.parametrize("binary", [True, False])
def test_a_tensor_without_elements(binary: bool) -> None:
    values = np.zeros((0, 2), np.float32)
    check(infer(request("float32", values, binary)), "FP32", values)


def test_a_dict_as_the_request() -> None:
    values = np.array([1.5, 2], np.float32)
    sent = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}]}
    check(infer(sent), "FP32", values)


def test_health() -> None:
    async def states(client: Any) -> list[bool]:
        models = [client.is_model_ready(URL, model) for model in ("rows", "nothing")]
        return list(await asyncio.gather(client.is_server_live(URL), client.is_server_ready(URL), *models))

    assert ask(states) == [True, True, True, False]


def test_errors() -> None:
    values = np.array([1], np.int32)
    sent = request("int32", values, True)
    with pytest.raises(httpx.HTTPStatusError, match="no model `nothing`.*404 Not Found"):
        infer(sent, "nothing")
    sent.parameters = None
    with pytest.raises(httpx.HTTPStatusError, match="expected float32.*400 Bad Request"):
        infer(sent)
    with pytest.raises(httpx.HTTPStatusError, match="no output `no`"):
        infer(request("int32", values, True, [RequestedOutput("no")]))
