"""The Python client of tfjs-serving: NumPy arrays in, NumPy arrays out, CBOR (RFC 8746) in between."""

from ._arrays import BFLOAT16, from_bfloat16, to_bfloat16
from ._calls import Answer
from ._client import AsyncClient, Client
from ._composites import RaggedTensor, SparseTensor
from ._errors import (
    CancelledError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    LossyCastError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    ServingError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)
from ._protocol import binary_to_dict, decode, dict_to_binary, encode
from ._retries import Retries
from ._seed import send_inference_request

__all__ = [
    "BFLOAT16",
    "Answer",
    "AsyncClient",
    "CancelledError",
    "Client",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "LossyCastError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "RaggedTensor",
    "ResourceExhaustedError",
    "Retries",
    "ServingError",
    "SparseTensor",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "binary_to_dict",
    "decode",
    "dict_to_binary",
    "encode",
    "from_bfloat16",
    "send_inference_request",
    "to_bfloat16",
]
