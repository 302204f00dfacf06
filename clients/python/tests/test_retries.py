"""Retries, against an HTTP server that answers what it is told to, as no real one does on demand."""

import asyncio
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tfjs_serving_client import AsyncClient, Client, LossyCastError, Retries, UnavailableError, encode
from tfjs_serving_client._retries import parse_retry_after

OK = (200, {}, {"default_model": None, "models": []})
BUSY = (503, {}, {"status": "error", "error": {"code": "UNAVAILABLE", "message": "the queue is full"}})
BUSY_LONG = (503, {"Retry-After": "30"}, BUSY[2])
BUSY_SHORT = (503, {"Retry-After": "0.2"}, BUSY[2])
REFUSED = (400, {}, {"status": "error", "error": {"code": "INVALID_ARGUMENT", "message": "no"}})


def info(version, dtype):
    signatures = {"serving_default": {"default": True, "inputs": {"x": {"dtype": dtype, "shape": [-1]}}, "outputs": {}}}
    return (200, {}, {"name": "m", "version": version, "generation": version, "signatures": signatures})


def answer(version):
    outputs = {"y": np.ones(1, np.float32)}
    return (200, {}, {"status": "ok", "model": "m", "version": version, "generation": version, "outputs": outputs})


@pytest.fixture
def script():
    """A server with answers to give in turn, and the requests and connections it saw."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            server.connections += 1

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.seen.append((time.monotonic(), self.path, dict(self.headers.items())))
            status, headers, value = server.answers.pop(0)
            content = encode(value)
            self.send_response(status)
            for name, text in {**headers, "Content-Type": "application/cbor", "Content-Length": str(len(content))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.answers, server.seen, server.connections = [], [], 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


FAST = Retries(attempts=3, initial=0.001)


def test_503_is_asked_again_on_the_same_connection_with_less_time(script):
    script.answers = [BUSY, BUSY, OK]
    with Client(script.url, retries=FAST, timeout=9, api_key="k", headers={"X-Own": "v"}) as client:
        assert client.models() == OK[2]
    assert script.connections == 1
    headers = [{name.lower(): value for name, value in seen[2].items()} for seen in script.seen]
    timeouts = [float(each["x-request-timeout"]) for each in headers]
    assert 9 >= timeouts[0] >= timeouts[1] >= timeouts[2] > 0
    assert len({each["x-request-id"] for each in headers}) == 1
    assert all((each["x-api-key"], each["x-own"]) == ("k", "v") for each in headers)


def test_the_last_answer_is_the_error(script):
    script.answers = [BUSY] * 3
    with Client(script.url, retries=FAST) as client, pytest.raises(UnavailableError, match="the queue is full") as caught:
        client.models()
    assert (len(script.seen), caught.value.status) == (3, 503)


def test_retry_after_is_honoured(script):
    script.answers = [BUSY_SHORT, OK]
    with Client(script.url, retries=FAST) as client:
        client.models()
    assert script.seen[1][0] - script.seen[0][0] >= 0.2


def test_a_wait_past_the_deadline_is_not_begun(script):
    script.answers = [BUSY_LONG, OK]
    with Client(script.url, retries=FAST, timeout=5) as client, pytest.raises(UnavailableError) as caught:
        client.models()
    assert (len(script.seen), caught.value.retry_after) == (1, 30)


def test_asyncio_asks_again(script):
    script.answers = [BUSY, BUSY_SHORT, OK]

    async def main():
        async with AsyncClient(script.url, retries=FAST) as client:
            return await client.models()

    assert asyncio.run(main()) == OK[2]


def test_the_signature_is_fetched_once_and_again_after_a_version_change(script):
    script.answers = [info(1, "float32"), answer(1), answer(1), answer(2), info(2, "float32"), answer(2)]
    with Client(script.url) as client:
        for _ in range(4):
            client.infer({"x": np.array([1.0])}, model="m")
    assert [seen[1] for seen in script.seen].count("/models/m") == 2


def test_the_signature_is_fetched_again_after_a_400(script):
    script.answers = [info(1, "float32"), answer(1), REFUSED, info(2, "int32"), answer(2)]
    with Client(script.url) as client:
        client.infer({"x": np.array([1])}, model="m")
        assert client.infer({"x": np.array([1])}, model="m").version == 2


def test_a_cast_that_fails_by_an_old_signature_is_tried_by_the_new_one(script):
    script.answers = [info(1, "int32"), answer(1), info(2, "float32"), answer(2), info(2, "int32")]
    with Client(script.url) as client:
        client.infer({"x": np.array([1])}, model="m")
        assert client.infer({"x": np.array([0.1])}, model="m").version == 2
    script.answers = [info(1, "int32")]
    with Client(script.url) as client, pytest.raises(LossyCastError):
        client.infer({"x": np.array([0.1])}, model="m")


def test_waits_grow_up_to_the_longest_and_differ():
    retries = Retries(attempts=9, initial=0.1, longest=1)
    for failures, most in ((1, 0.1), (2, 0.2), (4, 0.8), (8, 1), (1000, 1)):
        waits = {retries.wait(failures, None) for _ in range(50)}
        assert most / 2 <= min(waits) < max(waits) <= most
    assert all(3 <= retries.wait(1, 3.0) <= 3.75 for _ in range(50))


def test_retry_after_is_seconds_or_a_date():
    assert parse_retry_after("2") == 2
    assert 50 < parse_retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
    assert parse_retry_after("soon") is None
    assert parse_retry_after(None) is None
