"""The clients against a real server: see test/python for how it is named."""

import asyncio
import os
import socket
import ssl

import numpy as np
import pytest
from PIL import Image

from tfjs_serving_client import (
    BFLOAT16,
    AsyncClient,
    Client,
    DeadlineExceededError,
    InvalidArgumentError,
    LossyCastError,
    NotFoundError,
    RaggedTensor,
    Retries,
    ServingError,
    SparseTensor,
    UnavailableError,
    send_inference_request,
    to_bfloat16,
)

SERVER = os.environ.get("TFJS_SERVING_URL")
DEMO_SERVER = os.environ.get("TFJS_SERVING_DEMO_URL")
pytestmark = pytest.mark.skipif(None in (SERVER, DEMO_SERVER), reason="TFJS_SERVING_URL names no server")

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
SHAPES = [(), (1,), (0,), (2, 3), (2, 0, 3), (1, 2, 1, 2, 3)]


@pytest.fixture(scope="module")
def client():
    with Client(SERVER) as client:
        yield client


@pytest.fixture(scope="module")
def demo():
    with Client(DEMO_SERVER) as client:
        yield client


def sample(dtype, shape):
    size = int(np.prod(shape, dtype=int))
    if dtype == "string":
        strings = np.empty(size, dtype=object)
        strings[:] = [b"\xff%d\0" % i for i in range(size)]
        return strings.reshape(shape)
    if dtype == "bfloat16":
        return to_bfloat16(np.arange(size).reshape(shape) * 0.5)
    return np.asarray((np.arange(size) * 3 + 1).reshape(shape), dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [*NUMBERS, "bool", "bfloat16", "complex64", "complex128", "string"])
def test_every_dtype_and_rank_comes_back(client, dtype, shape):
    array = sample(dtype, shape)
    got = client.infer({"x": array}, model="identity", signature=dtype).outputs["y"]
    assert got.dtype == (BFLOAT16 if dtype == "bfloat16" else array.dtype)
    assert got.shape == shape
    assert got.tolist() == array.tolist()


@pytest.mark.parametrize("change", [np.asfortranarray, lambda x: x.astype(">f4"), lambda x: x[:, ::2]], ids=["F", ">", "step"])
def test_any_layout_comes_back(client, change):
    array = change(np.arange(12, dtype=np.float32).reshape(3, 4))
    assert client.infer({"x": array}, model="identity").outputs["y"].tolist() == array.tolist()


def test_float64_and_int64_are_cast_to_what_the_model_takes(demo):
    for values in ([1.0, 2.0, 5.0], [1, 2, 5]):
        answer = demo.infer({"x": np.array(values)}, model="half_plus_two")
        assert answer.outputs["y"].tolist() == [2.5, 3.0, 4.5]
        assert (answer.model, answer.version) == ("half_plus_two", 1)
    rounded = demo.infer({"x": np.array([0.1])}, model="half_plus_two").outputs["y"]
    assert rounded.tolist() == [float(np.float32(0.5) * np.float32(0.1) + np.float32(2))]
    with pytest.raises(LossyCastError, match=r"x\.astype\(np\.float32\)"):
        demo.infer({"x": np.array([1e300])}, model="half_plus_two")
    # int64 is what this signature takes: nothing is cast, however large.
    with Client(SERVER) as client:
        answer = client.infer({"x": np.array([1 << 62])}, model="identity", signature="int64")
        assert answer.outputs["y"].tolist() == [1 << 62]


def test_signatures_and_outputs_are_chosen(client):
    assert client.infer({"a": np.array([2.0]), "b": np.array([3])}, model="signatures", signature="mul").outputs["y"] == 6
    answer = client.infer({"a": np.array([2.0])}, model="signatures", signature="twice", outputs=["y"])
    assert answer.outputs["y"].tolist() == [4]
    assert client.infer({"x": np.ones(1, np.float32)}, model="identity", version=1).version == 1


def test_the_default_model_answers_one_observation(demo):
    data = {"state": np.zeros(6), "image": np.zeros((480, 640, 3), np.int64)}
    assert demo.infer(data).outputs["action"].shape == (7,)
    assert demo.model_info()["signatures"]["serving_default"]["inputs"]["image"]["dtype"] == "uint8"
    assert demo.model_info("half_plus_two")["name"] == "half_plus_two"
    assert {model["name"] for model in demo.models()["models"]} == {"policy", "half_plus_two"}


def test_update_model_looks_at_the_folder(demo):
    answer = demo.update_model()
    assert answer["status"] == "ok"
    with pytest.raises(ServingError) as caught:
        demo.update_model("half_plus_two", version=99, timeout=1)
    assert caught.value.message


def test_version_0_is_a_version(client):
    with pytest.raises(NotFoundError, match="no version 0"):
        client.infer({"x": np.ones(1, np.float32)}, model="identity", version=0)
    with pytest.raises(NotFoundError, match="no version 0"):
        client.update_model("identity", version=0, timeout=1)


def test_errors_say_what_happened_and_by_which_id(client):
    with pytest.raises(NotFoundError) as caught:
        client.infer({"x": np.ones(1, np.float32)}, model="nobody/else")
    error = caught.value
    assert (error.code, error.status) == ("NOT_FOUND", 404)
    assert "nobody/else" in error.message
    assert len(error.request_id) == 32
    with pytest.raises(InvalidArgumentError, match="missing"):
        client.infer({}, model="identity")
    with pytest.raises(ValueError, match="model"):
        client.infer({}, version=1)


def test_the_server_hears_of_the_deadline(client):
    with pytest.raises(DeadlineExceededError):
        client.infer({"x": np.ones((1,), np.float32)}, model="identity", timeout=1e-9)
    info = client.model_info("slow")["signatures"]["serving_default"]["inputs"]
    inputs = {name: np.full([1] * len(spec["shape"]), 100_000, spec["dtype"]) for name, spec in info.items()}
    with pytest.raises(DeadlineExceededError):
        client.infer(inputs, model="slow", timeout=0.1)


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url, retries=Retries(attempts=3, initial=0.01)) as client, pytest.raises(UnavailableError) as caught:
            client.models()
    assert caught.value.status is None


@pytest.mark.parametrize("url", ["127.0.0.1:50000", "localhost:50000", "ftp://127.0.0.1"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_without_http_is_refused(kind, url):
    with pytest.raises(ValueError, match=f"begins with http:// or https://, got '{url}'"):
        kind(url)


def test_tls_is_asked_for(client):
    # The server speaks no TLS: that the handshake is what fails shows that one was begun.
    url = SERVER.replace("http:", "https:")
    for verify in (False, ssl.create_default_context()):
        with Client(url, verify=verify, retries=Retries(attempts=1)) as secure, pytest.raises(UnavailableError, match="speaks no TLS"):
            secure.models()
    with pytest.raises(OSError):
        Client(url, verify="no/such/file.pem")
    with pytest.raises(OSError):
        Client(url, cert=("no/such/file.pem", "no/such/key.pem"))


def test_the_seeds_call_takes_every_infer_route():
    x = np.array([1, 2, 5], np.float32)
    for route in ("/models/half_plus_two/infer", "/models/half_plus_two/versions/1/infer"):
        for data in ({"x": x}, {"inputs": {"x": x}, "outputs": ["y"]}):
            answer = send_inference_request(data, url=DEMO_SERVER + route)
            assert (answer["status"], answer["outputs"]["y"].tolist()) == ("ok", [2.5, 3.0, 4.5])
    with pytest.raises(ValueError, match="infer route"):
        send_inference_request({"x": x}, url=DEMO_SERVER)


def test_asyncio():
    async def main():
        async with AsyncClient(DEMO_SERVER) as client:
            answers = await asyncio.gather(
                *(client.infer({"x": np.array([i, 2.0])}, model="half_plus_two") for i in range(50))
            )
            assert [answer.outputs["y"][0] for answer in answers] == [i / 2 + 2 for i in range(50)]
            assert (await client.update_model())["status"] == "ok"
            assert (await client.model_info())["model"] == "policy"
            assert (await client.models())["default_model"] == "policy"
            with pytest.raises(LossyCastError):
                await client.infer({"x": np.array([1e300])}, model="half_plus_two")
            with pytest.raises(NotFoundError):
                await client.infer({}, model="nobody")
            with pytest.raises(DeadlineExceededError):
                await client.infer({"x": np.ones(1, np.float32)}, model="half_plus_two", timeout=1e-9)

    asyncio.run(main())


def test_sparse_and_ragged_tensors_in_and_out(client):
    sparse = SparseTensor(np.array([[0, 1], [1, 3]]), np.array([1.5, 2.0]), np.array([2, 4]))
    answer = client.infer({"x": sparse}, model="sparse").outputs
    assert answer["total"].tolist() == [1.5, 2]
    assert isinstance(answer["twice"], SparseTensor)
    assert answer["twice"].values.tolist() == [3, 4]
    assert answer["twice"].indices.tolist() == [[0, 1], [1, 3]]
    rows = [np.array([1, 2]), np.array([], int), np.array([3])]
    ragged = RaggedTensor(np.array([1, 2, 3]), np.array([0, 2, 2, 3]))
    for x in (ragged, [row.astype(np.int32) for row in rows], [[1, 2], [], [3]]):
        got = client.infer({"x": x}, model="ragged", signature="narrow").outputs["y"]
        assert isinstance(got, RaggedTensor)
        assert (got.values.tolist(), got.row_splits.tolist()) == ([2, 3, 4], [0, 2, 2, 3])


def test_a_server_that_is_not_there_is_named():
    with Client("http://127.0.0.1:9", retries=Retries(attempts=1)) as client:
        with pytest.raises(UnavailableError, match=r"cannot reach http://127\.0\.0\.1:9/infer: ConnectError"):
            client.infer({"x": [1]})

    async def main():
        async with AsyncClient("http://127.0.0.1:9", retries=Retries(attempts=1)) as client:
            with pytest.raises(UnavailableError, match=r"cannot reach http://127\.0\.0\.1:9/models: ConnectError"):
                await client.models()

    asyncio.run(main())


def test_an_image_of_pillow_is_an_input(client):
    image = Image.new("RGB", (3, 2), (255, 0, 7))
    answer = client.infer({"x": image}, model="identity", signature="uint8").outputs["y"]
    np.testing.assert_array_equal(answer, np.array(image))


def test_what_is_not_meant_is_named_before_anything_is_sent(client):
    with pytest.raises(TypeError, match=r"inputs are arrays by name, as {'x': array}; got ndarray"):
        client.infer(np.ones(1), model="identity")
    with pytest.raises(TypeError, match=r"and this one int: for numbers send array\.astype\(np\.float32\)"):
        client.infer({"x": np.array([1, 2], object)}, model="identity")


def test_one_output_may_be_a_text(client):
    assert list(client.infer({"x": np.ones(1, np.float32)}, model="identity", outputs="y").outputs) == ["y"]


@pytest.mark.parametrize("chosen", [{}, {"signature": "same"}, {"outputs": ["data", "shape"]}, {"signature": "same", "outputs": "data"}])
@pytest.mark.parametrize("kind", [np.float32, list])
def test_inputs_called_dtype_shape_and_data_are_three(client, chosen, kind):
    inputs = {name: kind([i]) for i, name in enumerate(("dtype", "shape", "data"))}
    answer = client.infer(inputs, model="like_a_tensor", **chosen)
    expected = {"dtype": [1], "shape": [3], "data": [5]}
    names = np.atleast_1d(chosen.get("outputs", list(expected)))
    assert {name: value.tolist() for name, value in answer.outputs.items()} == {name: expected[name] for name in names}
