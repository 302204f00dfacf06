"""LitServe: FastAPI in front, batching workers behind it; raw bytes in and out.

$PORT, $WORKERS, $BATCH and $WAIT_MS set it up.
"""

import os
from typing import Annotated

import litserve
from fastapi import Body, Response
from saved_model import Arrays, SavedModel

BYTES = "application/octet-stream"


class Inference(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = SavedModel()

    def decode_request(self, request: Annotated[bytes, Body(media_type=BYTES)]) -> Arrays:
        return self.model.from_bytes(request)

    def batch(self, inputs: list[Arrays]) -> list[Arrays]:
        return inputs

    def predict(self, x: list[Arrays]) -> list[Arrays]:
        return self.model.run_batch(x)

    def unbatch(self, output: list[Arrays]) -> list[Arrays]:
        return output

    def encode_response(self, output: Arrays) -> Response:
        return Response(self.model.to_bytes(output), media_type=BYTES)


if __name__ == "__main__":
    api = Inference(max_batch_size=int(os.environ["BATCH"]), batch_timeout=float(os.environ["WAIT_MS"]) / 1000)
    litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=int(os.environ["WORKERS"]),
        fast_queue=os.environ.get("FAST_QUEUE") == "1",
    ).run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
