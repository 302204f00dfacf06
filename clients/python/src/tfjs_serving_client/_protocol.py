"""Messages: CBOR in which NumPy arrays are those of RFC 8746, byte for byte as the server and the TypeScript client
write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ._reader import read
from ._writer import write


def encode(value: Any) -> bytes:
    """CBOR of dicts, lists, numbers, text, bytes, None and NumPy arrays of any layout and byte order.

    Strings are arrays of `str` or `bytes`. NumPy's own bytes dtype (`S`) drops zero bytes at the end: use `dtype=object`.

    :raises TypeError: for an array whose dtype no tensor has
    """
    return write(value)


def decode(message: bytes | bytearray | memoryview) -> Any:
    """The value in a CBOR message. Arrays are read-only views on the message, or read-only copies where it does not
    align them; arrays of strings hold `bytes`; bfloat16 is `BFLOAT16`.

    :raises ValueError: if the message is not one CBOR item, or a shape and its values disagree
    """
    return read(message)


def dict_to_binary(data: Mapping[str, Any]) -> bytes:
    """A dict of NumPy arrays and plain values as one message: see `encode`.

    :raises TypeError: if it is no dict, or holds an array whose dtype no tensor has
    """
    if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a dict is wanted, not {type(data).__name__}")
    return write(data)


def binary_to_dict(binary: bytes | bytearray | memoryview) -> dict[str, Any]:
    """The dict in a message: see `decode`.

    :raises ValueError: if the message is not CBOR, or holds no dict
    """
    value = read(binary)
    if not isinstance(value, dict):
        raise ValueError(f"the message holds no dict but {type(value).__name__}")
    return cast("dict[str, Any]", value)
