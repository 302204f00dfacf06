"""/metrics, read by Prometheus's own parser: names as dashboards know them, labels, and counts that are right."""

import os
import re
import shutil
import subprocess
from urllib.request import urlopen

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from client import ServerError, infer, infer_items

SERVER = os.environ.get("TFJS_SERVING_URL")
pytestmark = pytest.mark.skipif(SERVER is None, reason="TFJS_SERVING_URL names no server")

REQUESTS = "inference_requests_total"
LATENCY = "inference_latency_seconds"


def scrape():
    """All samples by name and labels; the parser refuses what is no Prometheus text."""
    with urlopen(f"{SERVER}/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = list(text_string_to_metric_families(response.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    keyed = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(keyed) == len(samples), "a sample comes twice"
    return {family.name: family.type for family in families}, keyed


def labels(model, version, status, **more):
    return frozenset({"model": model, "version": version, "status": status, **more}.items())


def ask(model, inputs, *, signature=None):
    """The error's code, or `ok`."""
    try:
        infer(f"{SERVER}/models/{model}/infer", inputs, signature=signature)
        return "ok"
    except ServerError as error:
        return error.code


def test_the_names_of_the_seed_have_the_types_and_texts_that_dashboards_expect():
    types, _ = scrape()
    # The parser takes `_total` off a counter's family.
    assert types[REQUESTS.removesuffix("_total")] == "counter"
    assert types[LATENCY] == "histogram"
    for name in ("tfjs_serving_tensors", "tfjs_serving_inflight_bytes", "tfjs_serving_native", "tfjs_serving_version"):
        assert types[name] == "gauge"


# What `promtool check metrics` looks for (prometheus/client_golang, testutil/promlint), which it has as Go alone.
OTHER_UNITS = re.compile(
    r"_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d|minutes|hours|days|weeks|bits|inches|yards|miles"
    r"|(pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mebi|giga|gibi|tera|tebi|peta|pebi)"
    r"(seconds|bytes|bits|meters|metres|grams|joules|volts|amperes))(_|$)"
)
TYPES = re.compile(r"_(gauge|counter|summary|histogram|untyped)(_|$)")
OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


def test_names_and_types_are_as_promtool_wants_them():
    ask("identity", {"x": np.ones(1, np.float32)})
    with urlopen(f"{SERVER}/metrics") as response:
        text = response.read().decode()
    promtool = shutil.which("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    assert set(types) == set(helps)
    assert len(types) == text.count("# TYPE ")
    for name, kind in types.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert kind == "histogram" or not OF_HISTOGRAMS.search(name), name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        assert not OTHER_UNITS.search(name), name
        assert not TYPES.search(name), name
    labels_of = re.findall(r"^(\w+)\{.*?le=\"", text, re.MULTILINE)
    assert {types[name.removesuffix("_bucket")] for name in labels_of} == {"histogram"}


def test_each_outcome_is_counted_once_and_lands_in_the_histogram():
    vector, matrix = np.ones(2, np.float32), np.ones((2, 3), np.float32)
    asked = [
        *[("identity", {"x": vector}, None, "ok")] * 5,
        *[("identity", {"y": vector}, None, "INVALID_ARGUMENT")] * 3,
        *[("identity", {"x": vector}, "nothing", "NOT_FOUND")] * 2,
        # TensorFlow's own refusal: the inner dimensions differ.
        *[("failing", {"x": matrix, "w": matrix}, None, "INVALID_ARGUMENT")] * 4,
    ]
    _, before = scrape()
    for model, inputs, signature, status in asked:
        assert ask(model, inputs, signature=signature) == status
    _, after = scrape()

    for model, status in {(model, status) for model, _, _, status in asked}:
        count = sum((model, status) == (each[0], each[3]) for each in asked)
        series = labels(model, "1", status)
        for name in (REQUESTS, f"{LATENCY}_count"):
            assert after[name, series] - before.get((name, series), 0) == count, (name, model, status)
        infinite = labels(model, "1", status, le="+Inf")
        assert after[f"{LATENCY}_bucket", infinite] == after[f"{LATENCY}_count", series]
        assert after[f"{LATENCY}_sum", series] > before.get((f"{LATENCY}_sum", series), 0)


def test_buckets_only_grow_towards_infinity():
    ask("identity", {"x": np.ones(1, np.float32)})
    _, samples = scrape()
    series = labels("identity", "1", "ok")
    buckets = sorted(
        (float(dict(key)["le"]), value)
        for (name, key), value in samples.items()
        if name == f"{LATENCY}_bucket" and series <= key
    )
    assert buckets[-1][0] == float("inf")
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)


def test_names_that_a_client_makes_up_become_no_labels():
    for name in ("nobody", "nobody%22%7D", "x" * 200):
        with pytest.raises(ServerError) as caught:
            infer_items(f"{SERVER}/models/{name}/infer", {})
        assert caught.value.code == "NOT_FOUND"
    _, samples = scrape()
    models = {dict(key)["model"] for name, key in samples if name == REQUESTS}
    assert "" in models
    assert not any("nobody" in model or "xxx" in model for model in models)


def test_an_idle_server_holds_nothing():
    _, samples = scrape()
    assert samples["tfjs_serving_tensors", frozenset()] == 0
    assert samples["tfjs_serving_inflight_bytes", frozenset()] == 0
    native = {dict(key)["kind"]: value for (name, key), value in samples.items() if name == "tfjs_serving_native"}
    assert native.pop("environments") == 1
    versions = sum(name == "tfjs_serving_version" for name, _ in samples)
    # One more decodes images, from the first one on.
    assert native.pop("sessions") - versions in (0, 1)
    assert set(native.values()) == {0}
