"""/openapi.json against the real server, by Schemathesis: what it makes up out of the document, valid and not, must be
answered as the document says. `schemathesis.toml` has what is checked, and why something is not."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from urllib.request import Request, urlopen

import pytest

NODE = os.environ.get("TFJS_SERVING_NODE")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="TFJS_SERVING_NODE names no Node.js"),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="Schemathesis needs Python 3.10: see requirements.txt"),
]

HERE = Path(__file__).parent
PROGRAM = HERE.parents[1] / "dist" / "main.js"
KEY = "key-for-everything"


@contextmanager
def server(folder, **env):
    """A server of its own: these requests pin versions."""
    for model in ("mixed", "strings", "versioned"):
        copytree(HERE.parent / "models" / model, folder / model)
    flags = ["--port", "0", "--model-path", str(folder), "--default-model", "versioned"]
    command = [NODE, str(PROGRAM), "serve", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    try:
        printed = []
        for line in process.stdout:
            printed.append(line)
            ready = re.search(r"serving on (http://\S+:\d+)", line)
            if ready:
                yield ready[1]
                break
        else:
            pytest.fail(f"the server ended with {process.wait()}:\n{''.join(printed)}")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("env", [{}, {"TFJS_SERVING_API_KEYS": KEY}], ids=["without keys", "with keys"])
def test_another_linter_finds_nothing(tmp_path, env):
    from openapi_spec_validator import validate

    with server(tmp_path, **env) as url:
        headers = {"X-API-Key": KEY} if env else {}
        with urlopen(Request(f"{url}/openapi.json", headers=headers)) as answer:
            validate(json.load(answer))


def schemathesis(folder, url, *flags, document=None):
    """Its exit code and what it printed. What it keeps for itself goes into the folder."""
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command = [*program, "run", document or f"{url}/openapi.json"]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": path_with(HERE)}
    done = subprocess.run(
        [*command, "--url", url, "--no-color", *flags], cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )
    return done.returncode, done.stdout + done.stderr


def path_with(folder):
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


@pytest.mark.parametrize("key", [None, KEY], ids=["without keys", "with keys"])
def test_the_server_answers_as_its_document_says(tmp_path, key):
    env = {} if key is None else {"TFJS_SERVING_API_KEYS": key}
    # What differs with keys does so in each request.
    flags = [] if key is None else ["-H", f"X-API-Key: {key}", "--max-examples", "3"]
    with server(tmp_path / "models", **env) as url:
        code, output = schemathesis(tmp_path, url, *flags)
    assert code == 0, output


def test_a_document_that_says_otherwise_is_found_out(tmp_path):
    """One untruth for each of the checks that the test above leans on."""
    with server(tmp_path / "models") as url:
        with urlopen(f"{url}/openapi.json") as response:
            document = json.load(response)
        schemas, paths = document["components"]["schemas"], document["paths"]
        schemas["Health"]["properties"]["ready"]["type"] = "string"
        schemas["UpdateRequest"]["properties"]["timeout"]["maximum"] = 5000
        del paths["/models/{model}"]["get"]["responses"]["404"]
        answer = paths["/metrics"]["get"]["responses"]["200"]
        answer["content"] = {"text/html": {}}
        answer["headers"]["X-Other"] = {"required": True, "schema": {"type": "string"}}
        lies = tmp_path / "lies.json"
        lies.write_text(json.dumps(document))
        told = ["/health", "/update_model", "/models/{model}", "/metrics"]
        only = [flag for path in told for flag in ("--include-path", path)]
        flags = ["--phases", "coverage", "--continue-on-failure", *only]
        code, output = schemathesis(tmp_path, url, *flags, document=str(lies))
    assert code == 1, output
    for finding in (
        "violates schema",
        "undocumented (http )?status code",
        "undocumented content-type",
        "missing required (response )?headers",
        "request rejected|api rejected",
    ):
        assert re.search(finding, output, re.IGNORECASE), f"{finding}\n{output}"
