"""The wheel, built and installed into a fresh environment, and there the tests that code for the server before this one
has: word for word, at the port that they name."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
PORT = 50000

TEST_BINARY_PROTOCOL = """\
import unittest
import numpy as np
from binary_protocol import dict_to_binary, binary_to_dict


class TestBinaryProtocol(unittest.TestCase):
    def test_simple_dict(self):
        data = {"key": "value", "number": 42}
        binary = dict_to_binary(data)
        restored = binary_to_dict(binary)
        self.assertEqual(data, restored)

    def test_numpy_array(self):
        data = {"array": np.random.randn(100, 100).astype(np.float32)}
        binary = dict_to_binary(data)
        restored = binary_to_dict(binary)
        np.testing.assert_array_equal(data["array"], restored["array"])


if __name__ == '__main__':
    unittest.main()
"""

TEST_SERVER = """\
import unittest
import numpy as np
from request_tools import send_inference_request


class TestServer(unittest.TestCase):
    SERVER_URL = 'http://127.0.0.1:50000/infer'

    def test_inference(self):
        data = {
            "state": np.random.randn(6).astype(np.float32),
            "image": np.random.randint(0, 255, (480, 640, 3), dtype=np.uint8)
        }
        result = send_inference_request(data, url=self.SERVER_URL)
        self.assertIn("status", result)
        self.assertEqual(result["status"], "ok")


if __name__ == '__main__':
    unittest.main()
"""


def run(*command, cwd=None):
    """Runs without our own PYTHONPATH, by which the client would be found uninstalled; gives what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # setuptools leaves files beside the sources.
    source = shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source))
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel):
    """A Python in which nothing but the wheel was asked for."""
    folder = wheel.parent / "venv"
    if subprocess.run([sys.executable, "-m", "venv", str(folder)], stdout=subprocess.DEVNULL).returncode != 0:
        pytest.skip("THE WHEEL WAS NOT INSTALLED: this Python cannot make a virtual environment")
    python = str(folder / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    return python


@pytest.fixture
def port_50000():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.skip(f"THE GUIDE'S TEST OF THE SERVER WAS NOT RUN: port {PORT}, which it names, is taken")
    node = os.environ.get("TFJS_SERVING_NODE", "node")
    command = [node, "dist/main.js", "serve", "--model-path", "saved_models", "--port", str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(server)
        yield
    finally:
        server.terminate()
        server.wait(60)


def wait_until_ready(server):
    for _ in range(600):
        assert server.poll() is None, "the server ended before it was ready"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=10).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the server did not become ready within a minute")


def test_the_wheel_has_its_types_and_licence_and_needs_three_packages(python):
    program = (
        "import importlib.metadata as m, importlib.resources as r, tfjs_serving_client as c;"
        "d = m.distribution('tfjs-serving-client');"
        "print(sorted(d.requires), (r.files(c) / 'py.typed').is_file(), any(f.name == 'LICENSE' for f in d.files))"
    )
    assert run(python, "-c", program).strip() == "['cbor2>=5.9', 'httpx>=0.27', 'numpy>=1.22'] True True"


def test_the_guides_test_of_the_protocol(python, tmp_path):
    file = tmp_path / "test_binary_protocol.py"
    file.write_text(TEST_BINARY_PROTOCOL)
    assert "Ran 2 tests" in run(python, str(file), cwd=tmp_path)


def test_the_guides_test_of_the_server(python, tmp_path, port_50000):
    file = tmp_path / "test_server.py"
    file.write_text(TEST_SERVER)
    assert "Ran 1 test" in run(python, str(file), cwd=tmp_path)


def test_the_references_python_works_when_pasted(python, tmp_path, port_50000):
    section = (ROOT / "docs" / "reference.md").read_text().split("## From Python", 1)[1].split("\n## ", 1)[0]
    program = section.split("```python\n", 1)[1].split("```", 1)[0]
    printed = run(python, "-c", program, cwd=tmp_path)
    assert printed.startswith("[") and len(printed.strip("[]\n").split()) == 7
