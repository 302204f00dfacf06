"""tritonclient[http], as it is on PyPI, against the server: every datatype, in binary and JSON, both clients of it, errors.

TFJS_SERVING_URL names a server with --model-path test/models; TFJS_SERVING_DEMO_URL one with saved_models.
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from open_inference_tensors import TENSORS
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

URL = os.environ.get("TFJS_SERVING_URL", "").removeprefix("http://")
DEMO_URL = os.environ.get("TFJS_SERVING_DEMO_URL", "").removeprefix("http://")

pytestmark = pytest.mark.skipif(URL == "", reason="TFJS_SERVING_URL is not set")

# tritonclient itself sends these in binary alone.
BINARY_ONLY = {"FP16", "BF16"}
FORMS = [
    (signature, binary)
    for signature, (datatype, _) in TENSORS.items()
    for binary in (True, False)
    if binary or datatype not in BINARY_ONLY
]


@pytest.fixture(scope="module")
def client() -> Any:
    with triton.InferenceServerClient(URL, concurrency=4) as opened:
        yield opened


def make_input(signature: str, binary: bool) -> triton.InferInput:
    datatype, values = TENSORS[signature]
    return triton.InferInput("x", values.shape, datatype).set_data_from_numpy(values, binary_data=binary)


def check(result: triton.InferResult, signature: str) -> None:
    datatype, values = TENSORS[signature]
    output = result.get_output("y")
    assert (output["datatype"], output["shape"]) == (datatype, list(values.shape))
    found = result.as_numpy("y")
    if datatype == "BYTES" and "parameters" not in output:
        found = np.array([text.encode() for text in found], object)
    assert found.shape == values.shape
    assert np.array_equal(found, values)


@pytest.mark.parametrize("output", ["default", "binary", "json"])
@pytest.mark.parametrize(("signature", "binary"), FORMS)
def test_every_datatype(client: Any, signature: str, binary: bool, output: str) -> None:
    outputs = None if output == "default" else [triton.InferRequestedOutput("y", binary_data=output == "binary")]
    parameters = {"signature": signature}
    sent = [make_input(signature, binary)]
    result = client.infer("identity", sent, outputs=outputs, request_id="an id", parameters=parameters)
    check(result, signature)
    answer = result.get_response()
    assert answer["id"] == "an id"
    assert (answer["model_name"], answer["model_version"]) == ("identity", "1")


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed(client: Any, algorithm: str) -> None:
    sent = [make_input("float32", binary=True)]
    result = client.infer(
        "identity", sent, request_compression_algorithm=algorithm, response_compression_algorithm=algorithm
    )
    check(result, "float32")


def test_async(client: Any) -> None:
    sent = [make_input("float32", binary=True)]
    waiting = [client.async_infer("identity", sent, model_version="1") for _ in range(8)]
    for each in waiting:
        check(each.get_result(), "float32")


def test_aio() -> None:
    async def ask() -> None:
        async with triton_aio.InferenceServerClient(URL) as client:
            assert await client.is_server_ready()
            for binary in (True, False):
                results = [client.infer("identity", [make_input("float32", binary)]) for _ in range(4)]
                for result in await asyncio.gather(*results):
                    check(result, "float32")

    asyncio.run(ask())


def test_many_strings(client: Any) -> None:
    values = np.array([str(i).encode() for i in range(10_000)], object)
    sent = triton.InferInput("x", values.shape, "BYTES").set_data_from_numpy(values)
    result = client.infer("identity", [sent], parameters={"signature": "string"})
    assert np.array_equal(result.as_numpy("y"), values)


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("rows") and client.is_model_ready("rows", "1")
    assert not client.is_model_ready("rows", "9") and not client.is_model_ready("nothing")
    server = client.get_server_metadata()
    assert server["name"] == "tfjs-serving" and "binary_tensor_data" in server["extensions"]
    model = client.get_model_metadata("rows", "1")
    assert model["name"] == "rows" and model["versions"] == ["1"]
    assert all(set(each) == {"name", "datatype", "shape"} for each in model["inputs"] + model["outputs"])


def test_errors(client: Any) -> None:
    sent = [make_input("float32", binary=True)]
    with pytest.raises(InferenceServerException, match="no model `nothing`") as raised:
        client.infer("nothing", sent)
    assert raised.value.status() == "404"
    with pytest.raises(InferenceServerException, match="no output `no`"):
        client.infer("identity", sent, outputs=[triton.InferRequestedOutput("no")])
    with pytest.raises(InferenceServerException, match="expected float32"):
        client.infer("identity", [make_input("int32", binary=True)])
    with pytest.raises(InferenceServerException, match="sequence_id"):
        client.infer("identity", sent, sequence_id=1)
    with pytest.raises(InferenceServerException, match="classification"):
        client.infer("identity", sent, outputs=[triton.InferRequestedOutput("y", class_count=2)])
    strings = np.array([b"\xff"], object)
    damaged = triton.InferInput("x", [1], "BYTES").set_data_from_numpy(strings)
    with pytest.raises(InferenceServerException, match="not UTF-8"):
        client.infer(
            "identity",
            [damaged],
            outputs=[triton.InferRequestedOutput("y", binary_data=False)],
            parameters={"signature": "string"},
        )


def test_repository(client: Any) -> None:
    index = client.get_model_repository_index()
    assert {"name": "rows", "version": "1", "state": "READY"} in index
    client.load_model("rows")
    with pytest.raises(InferenceServerException, match="no model `nothing`"):
        client.load_model("nothing")
    with pytest.raises(InferenceServerException, match="is not taken"):
        client.load_model("rows", config="{}")
    client.unload_model("rows")
    assert not client.is_model_ready("rows")
    client.load_model("rows")
    assert client.is_model_ready("rows")


def test_configuration(client: Any) -> None:
    config = client.get_model_config("strings", "1")
    assert (config["name"], config["platform"]) == ("strings", "tensorflow_savedmodel")
    # As clients of Triton read it: the dims lack the batch dim where there is one.
    assert config["max_batch_size"] > 0 and "dynamic_batching" in config
    assert config["input"] == [{"name": "text", "data_type": "TYPE_STRING", "dims": []}]
    assert "model_configuration" in client.get_server_metadata()["extensions"]
    with pytest.raises(InferenceServerException, match="no model `nothing`"):
        client.get_model_config("nothing")


def test_bytes_alone() -> None:
    values = np.array(["a", "\u00fc"], object)
    sent = serialize_byte_tensor(values).item()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": "0"}
    request = urllib.request.Request(f"http://{URL}/v2/models/strings/infer", sent, headers)
    with urllib.request.urlopen(request) as response:
        length = int(response.headers["Inference-Header-Content-Length"])
        result = triton.InferenceServerClient.parse_response_body(response.read(), header_length=length)
    assert result.as_numpy("length").tolist() == [1, 2]
    assert result.as_numpy("upper").tolist() == [b"A", "\u00fc".encode()]


def test_statistics(client: Any) -> None:
    def counted() -> int:
        (model,) = client.get_inference_statistics("identity", "1")["model_stats"]
        return model["inference_stats"]["success"]["count"]

    before = counted()
    client.infer("identity", [make_input("float32", binary=True)])
    assert counted() >= before + 1
    assert len(client.get_inference_statistics()["model_stats"]) > 10


@pytest.mark.skipif(DEMO_URL == "", reason="TFJS_SERVING_DEMO_URL is not set")
def test_the_example_of_the_document() -> None:
    with triton.InferenceServerClient(DEMO_URL) as client:
        values = np.array([1, 2, 5], np.float32)
        sent = triton.InferInput("x", [3], "FP32").set_data_from_numpy(values)
        assert client.infer("half_plus_two", [sent]).as_numpy("y").tolist() == [2.5, 3.0, 4.5]
