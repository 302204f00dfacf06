"""KServe's own model server, from its Python SDK.

It answers the v2 protocol with binary tensors, which KServe makes lists of numbers of before the model sees them, and
raw bytes, which v1 hands on as they are unless they are said to be JSON. $PORT and $WORKERS set it up.
"""

from __future__ import annotations

import os
from functools import cached_property

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.logging import KSERVE_LOG_CONFIG

# The others do not log every request either.
KSERVE_LOG_CONFIG["loggers"]["uvicorn.access"]["level"] = "WARNING"


class Inference(Model):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ready = True

    @cached_property
    def model(self):
        """Loaded with the first request: KServe kills a worker that does not answer it for five seconds."""
        from saved_model import SavedModel

        return SavedModel()

    async def predict(self, payload: InferRequest | bytes, *_, **__) -> InferResponse | bytes:
        if isinstance(payload, bytes):
            return self.model.to_bytes(self.model.run(self.model.from_bytes(payload)))
        outputs = []
        for name, values in self.model.run({each.name: each.as_numpy() for each in payload.inputs}).items():
            output = InferOutput(name, list(values.shape), "FP32")
            output.set_data_from_numpy(values, binary_data=True)
            outputs.append(output)
        return InferResponse(payload.id or "", self.name, outputs, use_binary_outputs=True)


if __name__ == "__main__":
    ModelServer(
        http_port=int(os.environ["PORT"]),
        workers=int(os.environ["WORKERS"]),
        enable_grpc=False,
        enable_latency_logging=False,
    ).start([Inference("model")])
