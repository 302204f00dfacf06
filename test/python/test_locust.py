"""bench/locustfile.py for some seconds against a real server: every task is asked, and nothing fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = os.environ.get("TFJS_SERVING_DEMO_URL")
pytestmark = pytest.mark.skipif(SERVER is None, reason="TFJS_SERVING_DEMO_URL names no server")

LOCUSTFILE = Path(__file__).parents[2] / "bench" / "locustfile.py"


def locust(url):
    """Its exit code, and the statistics of each task by name."""
    flags = ["--headless", "--users", "4", "--spawn-rate", "4", "--run-time", "4s", "--json", "--host", url]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    start = done.stdout.find("[")
    assert start >= 0, done.stdout + done.stderr
    return done.returncode, {task["name"]: task for task in json.loads(done.stdout[start:])}


def test_every_task_is_asked_and_nothing_fails():
    code, tasks = locust(SERVER)
    assert code == 0
    assert set(tasks) == {"half_plus_two", "policy"}
    assert all(task["num_requests"] > 0 and task["num_failures"] == 0 for task in tasks.values()), tasks


def test_failures_are_told():
    """A server without those models answers 404."""
    url = os.environ["TFJS_SERVING_URL"]
    code, tasks = locust(url)
    assert code == 1
    assert set(tasks) == {"half_plus_two", "policy"}
    assert all(task["num_requests"] > 0 for task in tasks.values()), tasks
    assert all(task["num_failures"] == task["num_requests"] for task in tasks.values()), tasks
