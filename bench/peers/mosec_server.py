"""mosec: a front end in Rust that batches, Python workers behind it; raw bytes in and out.

mosec reads its own flags (--address, --port); $WORKERS, $BATCH and $WAIT_MS are ours.
"""

import os

from mosec import Server, Worker
from saved_model import Arrays, SavedModel


class Inference(Worker):
    def __init__(self) -> None:
        self.model = SavedModel()

    def deserialize(self, data: bytes) -> Arrays:
        return self.model.from_bytes(data)

    def forward(self, data: list[Arrays]) -> list[Arrays]:
        return self.model.run_batch(data)

    def serialize(self, data: Arrays) -> bytes:
        return self.model.to_bytes(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Inference,
        num=int(os.environ["WORKERS"]),
        max_batch_size=int(os.environ["BATCH"]),
        max_wait_time=int(os.environ["WAIT_MS"]),
    )
    server.run()
