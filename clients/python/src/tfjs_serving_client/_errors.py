"""The errors, with one class for each code of the server."""

from __future__ import annotations

from typing import Any, Mapping, cast

from ._reader import read


class ServingError(Exception):
    """A request that got no answer.

    `code`: what went wrong in one word, as `INVALID_ARGUMENT`. `status`: the HTTP status, None if no answer came.
    `request_id`: by which the server's log knows the request. `retry_after`: seconds the server asked to wait.
    """

    code = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        where = ", ".join(
            f"{what} {value}" for what, value in (("status", self.status), ("request", self.request_id)) if value is not None
        )
        return f"{self.code}: {self.message}" + (f" ({where})" if where else "")


class InvalidArgumentError(ServingError):
    code = "INVALID_ARGUMENT"


class LossyCastError(InvalidArgumentError, ValueError):
    """A float64 or int64 array that the dtype of the model cannot hold, or floats for whole numbers. Nothing was sent."""


class UnauthenticatedError(ServingError):
    code = "UNAUTHENTICATED"


class PermissionDeniedError(ServingError):
    code = "PERMISSION_DENIED"


class NotFoundError(ServingError):
    code = "NOT_FOUND"


class FailedPreconditionError(ServingError):
    code = "FAILED_PRECONDITION"


class PayloadTooLargeError(ServingError):
    code = "PAYLOAD_TOO_LARGE"


class ResourceExhaustedError(ServingError):
    code = "RESOURCE_EXHAUSTED"


class CancelledError(ServingError):
    code = "CANCELLED"


class InternalError(ServingError):
    code = "INTERNAL"


class UnimplementedError(ServingError):
    code = "UNIMPLEMENTED"


class UnavailableError(ServingError):
    """The server cannot answer now (503), or cannot be reached (`status` is None)."""

    code = "UNAVAILABLE"


class DeadlineExceededError(ServingError, TimeoutError):
    """The time was up, by the server's clock (504) or by ours (`status` is None)."""

    code = "DEADLINE_EXCEEDED"


_CLASSES: dict[str, type[ServingError]] = {
    each.code: each
    for each in (
        InvalidArgumentError,
        UnauthenticatedError,
        PermissionDeniedError,
        NotFoundError,
        FailedPreconditionError,
        PayloadTooLargeError,
        ResourceExhaustedError,
        CancelledError,
        InternalError,
        UnimplementedError,
        UnavailableError,
        DeadlineExceededError,
    )
}

# For answers that are not the server's own, for example those of a proxy.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "FAILED_PRECONDITION",
    413: "PAYLOAD_TOO_LARGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_from(status: int, content: bytes, request_id: str, retry_after: float | None) -> ServingError:
    """Makes the error from an answer."""
    code, message = _CODES.get(status, "UNKNOWN"), content[:200].decode(errors="replace") or "an empty answer"
    try:
        answer = cast("Mapping[str, Mapping[str, Any]]", read(content))
        code, message = str(answer["error"]["code"]), str(answer["error"]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    error_class = _CLASSES.get(code, ServingError)
    return error_class(message, code=code, status=status, request_id=request_id, retry_after=retry_after)
