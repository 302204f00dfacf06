"""Load by Locust: a small model and one with an image of 922 kB, both of the demo's, in CBOR.

    pip install locust ./clients/python
    locust -f bench/locustfile.py --host http://127.0.0.1:50000

An answer counts as failed unless it holds what its model must give: y = x / 2 + 2, seven finite numbers of the policy.
"""

import numpy as np
from locust import FastHttpUser, task

from tfjs_serving_client import binary_to_dict, dict_to_binary

HEADERS = {"content-type": "application/cbor"}
X = np.array([1, 2, 5], np.float32)
STATE_AND_IMAGE = {"state": np.zeros(6, np.float32), "image": np.zeros((480, 640, 3), np.uint8)}


class Robot(FastHttpUser):
    """Asks without a pause, nine times out of ten the small model."""

    small = dict_to_binary({"x": X})
    image = dict_to_binary(STATE_AND_IMAGE)

    def on_start(self):
        # For any other status Locust's client reads the body as UTF-8, which CBOR is not, and the task would end
        # without being counted; infer() looks at the status itself.
        self.client.client.valid_response_codes = range(100, 600)

    @task(9)
    def half_plus_two(self):
        self.infer("half_plus_two", self.small, lambda outputs: np.array_equal(outputs["y"], X / 2 + 2))

    @task(1)
    def policy(self):
        self.infer("policy", self.image, lambda outputs: _is_action(outputs["action"]))

    def infer(self, model, body, is_right):
        path = f"/models/{model}/infer"
        with self.client.post(path, data=body, headers=HEADERS, name=model, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"HTTP {response.status_code}")
                return
            try:
                right = is_right(binary_to_dict(response.content)["outputs"])
            except (KeyError, ValueError) as error:
                response.failure(str(error))
            else:
                response.success() if right else response.failure("a wrong answer")


def _is_action(action):
    return action.shape == (7,) and bool(np.isfinite(action).all())
