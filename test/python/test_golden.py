"""The server against answers that TensorFlow for Python gave.

Start a server on each repository and name them; what is not named is skipped:

    TFJS_SERVING_URL=http://127.0.0.1:50000       a server with --model-path test/models
    TFJS_SERVING_DEMO_URL=http://127.0.0.1:50001  a server with --model-path saved_models
    TFJS_SERVING_TAGS=custom                      the tags the first was started with, if not serve; run with -k tags,
                                                  for no other model has them
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from cbor2 import CBORTag

from client import (
    LITTLE_ENDIAN_TAGS,
    RAW_DTYPES,
    ROW_MAJOR,
    ServerError,
    decode_tensor,
    dtype_name,
    encode_tensor,
    flat_items,
    infer,
    infer_items,
)

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
DEMO_MODELS = {"policy", "half_plus_two"}

# Only these hand their floats through; for them every bit counts, of NaN and -0 too.
UNCHANGED = {"identity", "stateful"}
# Sums in float32 differ with the order in which threads and vector units add them.
RTOL, ATOL = 1e-5, 1e-6

HTTP_STATUS = {"INVALID_ARGUMENT": 400}


def load(file: Path) -> dict[str, Any]:
    return cbor2.loads(file.read_bytes())


CASES = {file.stem: load(file) for file in sorted(GOLDEN.glob("*.cbor"))}


def server(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"{variable} names no server")
    return url.rstrip("/")


def infer_url(model: str) -> str:
    return f"{server('TFJS_SERVING_DEMO_URL' if model in DEMO_MODELS else 'TFJS_SERVING_URL')}/models/{model}/infer"


def request_item(item: Any) -> Any:
    """An input of a golden file as it is sent: large ones are kept as a formula over the flat index."""
    if not (isinstance(item, dict) and "formula" in item):
        return item
    formula = item["formula"]
    flat = np.arange(np.prod(item["shape"]), dtype=np.int64) * formula["multiply"] + formula["add"]
    return encode_tensor((flat % formula["modulo"]).astype(item["dtype"]).reshape(item["shape"]))


def assert_promised_form(item: Any, dtype: str) -> None:
    """An answer's tensor has the one form promised for its dtype, not merely one that can be decoded."""
    if dtype in RAW_DTYPES:
        assert isinstance(item, dict) and set(item) == {"dtype", "shape", "data"}
        assert isinstance(item["data"], bytes)
        return
    assert isinstance(item, CBORTag) and item.tag == ROW_MAJOR
    _, values = item.value
    if dtype == "string":
        assert all(isinstance(value, bytes) for value in values)
    else:
        assert isinstance(values, CBORTag) and values.tag == LITTLE_ENDIAN_TAGS[dtype]


def assert_close(got: np.ndarray, want: np.ndarray, *, exact: bool) -> None:
    assert dtype_name(got) == dtype_name(want)
    assert got.shape == want.shape
    if got.dtype == object:
        assert got.tolist() == want.tolist()
    elif exact or got.dtype.kind not in "fc":
        assert got.tobytes() == want.tobytes(), f"{got} is not {want}, bit for bit"
    else:
        np.testing.assert_allclose(got, want, RTOL, ATOL, equal_nan=True)


def test_there_are_golden_answers():
    assert CASES, f"no *.cbor in {GOLDEN.name}"


@pytest.mark.parametrize("name", CASES)
def test_the_server_answers_as_tensorflow_for_python(name):
    case = CASES[name]
    url = infer_url(case["model"])
    served = os.environ.get("TFJS_SERVING_TAGS", "serve").split(",")
    if sorted(case["tags"]) != sorted(served):
        pytest.skip(f"saved for the tags {','.join(case['tags'])}")
    body = {
        "inputs": {key: request_item(item) for key, item in case["inputs"].items()},
        "signature": case["signature"],
    }
    if "error" in case:
        with pytest.raises(ServerError) as refused:
            infer_items(url, body)
        assert (refused.value.http_status, refused.value.code) == (HTTP_STATUS[case["error"]], case["error"])
        assert refused.value.message
        return

    answer = infer_items(url, body)
    assert answer.model == case["model"]
    assert isinstance(answer.version, int) and answer.version >= 1
    assert isinstance(answer.generation, int)
    wanted = flat_items(case["outputs"])
    assert answer.outputs.keys() == wanted.keys()
    for key, item in wanted.items():
        want = decode_tensor(item)
        assert_promised_form(answer.items[key], dtype_name(want))
        assert_close(answer.outputs[key], want, exact=case["model"] in UNCHANGED)


def test_a_failed_run_leaves_the_model_serving():
    bad, good = CASES["failing.serving_default.inner_dims_differ"], CASES["failing.serving_default.inner_dims_agree"]
    url = infer_url("failing")
    for _ in range(20):
        with pytest.raises(ServerError):
            infer_items(url, {"inputs": bad["inputs"]})
    answer = infer_items(url, {"inputs": good["inputs"]})
    assert_close(answer.outputs["y"], decode_tensor(good["outputs"]["y"]), exact=False)


def policy_batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State, image and golden action of the batch of three."""
    case = CASES["policy.serving_default.three"]
    state, image = (decode_tensor(request_item(case["inputs"][key])) for key in ("state", "image"))
    return state, image, decode_tensor(case["outputs"]["action"])


def test_one_observation_in_the_flat_form_gets_one_action():
    url = f"{server('TFJS_SERVING_DEMO_URL')}/infer"
    state, image, action = policy_batch()
    batched = infer(url, {"state": state, "image": image}).outputs["action"]
    for row in range(3):
        answer = infer(url, {"state": state[row], "image": image[row]}, flat=True)
        assert answer.model == "policy"
        assert answer.outputs["action"].shape == (7,)
        assert_close(answer.outputs["action"], batched[row], exact=False)
        assert_close(answer.outputs["action"], action[row], exact=False)


def test_a_batch_in_the_flat_form_gets_a_batch():
    state, image, action = policy_batch()
    answer = infer(f"{server('TFJS_SERVING_DEMO_URL')}/infer", {"state": state, "image": image}, flat=True)
    assert_close(answer.outputs["action"], action, exact=False)


def test_one_sample_of_a_batched_vector_is_a_scalar():
    answer = infer(infer_url("half_plus_two"), {"x": np.float32(5)})
    assert_close(answer.outputs["y"], np.array(4.5, np.float32), exact=False)


@pytest.mark.parametrize("options", [{"big_endian": True}, {"column_major": True}], ids=["big-endian", "column-major"])
@pytest.mark.parametrize("dtype", [dtype for dtype in LITTLE_ENDIAN_TAGS if not dtype.endswith("int8")])
def test_other_layouts_of_a_typed_array_mean_the_same_tensor(dtype, options):
    want = decode_tensor(CASES[f"identity.{dtype}.rank5"]["inputs"]["x"]).reshape(3, 4)
    body = {"inputs": {"x": encode_tensor(want, **options)}, "signature": dtype}
    answer = infer_items(infer_url("identity"), body)
    assert_promised_form(answer.items["y"], dtype)
    assert_close(answer.outputs["y"], want, exact=True)


def test_a_bare_big_endian_array_is_a_vector():
    body = {"inputs": {"x": CBORTag(81, np.array([1, 2, 5], ">f4").tobytes())}}
    answer = infer_items(infer_url("half_plus_two"), body)
    assert_close(answer.outputs["y"], np.array([2.5, 3, 4.5], np.float32), exact=False)
