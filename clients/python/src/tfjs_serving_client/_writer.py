"""Writes CBOR in its deterministic heads (RFC 8949, section 4.2.1), arrays as RFC 8746 has them.

Our own rather than cbor2's, which would copy each array three times; here it is copied once, when the parts are joined.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Callable, cast

import cbor2
import numpy as np

from ._arrays import LITTLE_ENDIAN_TAGS, ROW_MAJOR, Array, Buffer, dtype_name, strings_of, values_of
from ._composites import composite_of, parts_of

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)


def write(value: Any) -> bytes:
    parts: list[Buffer] = []
    _write(value, parts.append)
    return b"".join(parts)


_Put = Callable[[Buffer], None]


def _write(value: Any, put: _Put) -> None:
    # NumPy's numbers come first, because its float64 is also a float.
    if isinstance(value, np.ndarray):
        _write_tensor(cast(Array, value), put)
    elif isinstance(value, np.generic) and not isinstance(value, (str, bytes)):
        _write_tensor(np.asarray(cast(Any, value)), put)
    elif isinstance(value, str):
        _write_text(value, put)
    elif isinstance(value, bool):
        put(b"\xf5" if value else b"\xf4")
    elif isinstance(value, int) and -(1 << 64) <= value < 1 << 64:
        put(_head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value))
    elif isinstance(value, float):
        put(b"\xfb" + struct.pack(">d", value))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _write_bytes(bytes(cast(Buffer, value)), put)
    elif isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value)
        put(_head(MAP, len(entries)))
        for key, each in entries.items():
            _write(key, put)
            _write(each, put)
    elif (composite := composite_of(value)) is not None:
        _write(parts_of(composite), put)
    elif isinstance(value, (list, tuple)):
        elements = cast("list[Any]", value)
        put(_head(ARRAY, len(elements)))
        for each in elements:
            _write(each, put)
    elif hasattr(value, "__array__"):
        _write_tensor(np.asarray(value), put)
    else:
        # None, big integers, dates and other values that cbor2 knows.
        put(cbor2.dumps(value))


def _write_tensor(array: Array, put: _Put) -> None:
    name = dtype_name(array)
    tag = LITTLE_ENDIAN_TAGS.get(name)
    if tag is None and name != "string":
        put(_head(MAP, 3))
        _write_text("dtype", put)
        _write_text(name, put)
        _write_text("shape", put)
        _write_dims(array, put)
        _write_text("data", put)
        _write_bytes(values_of(array, name), put)
        return
    put(_head(TAG, ROW_MAJOR) + _head(ARRAY, 2))
    _write_dims(array, put)
    if tag is None:
        strings = strings_of(array)
        put(_head(ARRAY, len(strings)))
        for string in strings:
            _write_bytes(string, put)
    else:
        put(_head(TAG, tag))
        _write_bytes(values_of(array, name), put)


def _write_dims(array: Array, put: _Put) -> None:
    put(_head(ARRAY, array.ndim) + b"".join(_head(UNSIGNED, dim) for dim in array.shape))


def _write_text(text: str, put: _Put) -> None:
    data = text.encode()
    put(_head(TEXT, len(data)) + data)


def _write_bytes(data: Buffer, put: _Put) -> None:
    put(_head(BYTES, len(data)))
    put(data)


def _head(major: int, argument: int) -> bytes:
    initial = major << 5
    if argument < 24:
        return bytes((initial | argument,))
    if argument < 0x100:
        return bytes((initial | 24, argument))
    if argument < 0x10000:
        return struct.pack(">BH", initial | 25, argument)
    if argument < 0x1_0000_0000:
        return struct.pack(">BI", initial | 26, argument)
    return struct.pack(">BQ", initial | 27, argument)
