"""Reads CBOR with arrays as views on the message.

cbor2 makes a `bytes` of each array, a copy; this reads what the server and both clients write, and leaves to cbor2 what
they do not: other tags, indefinite lengths.
"""

from __future__ import annotations

import struct
from typing import Any, cast

import cbor2

from ._arrays import COLUMN_MAJOR, FIXED_DTYPES, ROW_MAJOR, TYPED_ARRAYS, Array, array_from_buffer, array_from_strings
from ._writer import ARRAY, BYTES, MAP, NEGATIVE, SIMPLE, TEXT, UNSIGNED

_MAX_DEPTH = 64
_SIMPLE: dict[int, Any] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_MULTI_DIMENSIONAL = (ROW_MAJOR, COLUMN_MAJOR)


class _Foreign(Exception):
    """Raised for an item that cbor2 must read."""


def read(message: bytes | bytearray | memoryview) -> Any:
    """
    :raises ValueError: if it is not one CBOR item, or a shape and its values disagree
    """
    view = memoryview(message)
    try:
        reader = _Reader(view)
        value = reader.item(0)
        if reader.position < len(view):
            raise ValueError("bytes follow the end of the message")
        return value
    except _Foreign:
        try:
            return _with_arrays(cbor2.loads(bytes(view)))
        except cbor2.CBORDecodeError as error:
            raise ValueError(f"not CBOR: {error}") from error
    except (IndexError, struct.error) as error:
        raise ValueError("the message is cut short") from error


class _Reader:
    def __init__(self, view: memoryview):
        self._view = view
        self.position = 0

    def item(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError(f"more than {_MAX_DEPTH} levels are nested")
        initial = self._view[self.position]
        major, info = initial >> 5, initial & 31
        if major == SIMPLE:
            return self._simple(info)
        argument = self._argument(info)
        if major == UNSIGNED:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major == BYTES:
            return bytes(self._take(argument))
        if major == TEXT:
            return str(self._take(argument), "utf-8")
        if major == ARRAY:
            return [self.item(depth + 1) for _ in range(argument)]
        if major == MAP:
            return self._map(argument, depth)
        return self._tagged(argument, depth)

    def _argument(self, info: int) -> int:
        start = self.position + 1
        if info < 24:
            self.position = start
            return info
        if info > 27:
            raise _Foreign
        self.position = start + (1 << (info - 24))
        if self.position > len(self._view):
            raise IndexError
        return int.from_bytes(self._view[start : self.position], "big")

    def _take(self, length: int) -> memoryview:
        start = self.position
        self.position += length
        if self.position > len(self._view):
            raise IndexError
        return self._view[start : self.position]

    def _simple(self, info: int) -> Any:
        self.position += 1
        if info in _FLOATS:
            layout = _FLOATS[info]
            return layout.unpack(self._take(layout.size))[0]
        if info not in _SIMPLE:
            raise _Foreign
        return _SIMPLE[info]

    def _map(self, length: int, depth: int) -> Any:
        entries: dict[Any, Any] = {}
        data: memoryview | None = None
        for _ in range(length):
            key = self.item(depth + 1)
            if isinstance(key, (list, dict)):
                raise ValueError("a list or map is no key")
            if key in entries:
                raise ValueError(f"the key {key!r:.80} comes twice")
            if key == "data" and self._view[self.position] >> 5 == BYTES:
                data = self._byte_string()
                entries[key] = data
            else:
                entries[key] = self.item(depth + 1)
        if data is None:
            return entries
        array = _described(entries, data)
        if array is not None:
            return array
        entries["data"] = bytes(data)
        return entries

    def _tagged(self, tag: int, depth: int) -> Any:
        if tag in TYPED_ARRAYS:
            return array_from_buffer(self._byte_string(), TYPED_ARRAYS[tag], None)
        if tag not in _MULTI_DIMENSIONAL:
            raise _Foreign
        return _multi_dimensional(tag, self.item(depth + 1))

    def _byte_string(self) -> memoryview:
        initial = self._view[self.position]
        if initial >> 5 != BYTES:
            raise ValueError("the values of a typed array are a byte string")
        return self._take(self._argument(initial & 31))


def _multi_dimensional(tag: int, content: Any) -> Array:
    """The array in tag 40 or 1040, whose typed array has been read already."""
    if not isinstance(content, (list, tuple)) or len(cast("list[Any]", content)) != 2:
        raise ValueError(f"tag {tag} is [shape, values]")
    shape, values = cast("list[Any]", content)
    dims = _checked_shape(shape)
    column_major = tag == COLUMN_MAJOR
    if isinstance(values, (list, tuple)):
        strings = cast("list[Any]", values)
        if not all(isinstance(string, (bytes, str)) for string in strings):
            raise ValueError("the values of an array are a typed array or strings")
        return array_from_strings(strings, dims, column_major=column_major)
    if not hasattr(values, "reshape"):
        raise ValueError("the values of an array are a typed array or strings")
    return cast(Array, values).reshape(tuple(dims), order="F" if column_major else "C")


def _described(entries: dict[Any, Any], data: bytes | memoryview) -> Array | None:
    """The array that `{"dtype", "shape", "data"}` describes; None if this is another map."""
    if len(entries) != 3 or "shape" not in entries:
        return None
    name: Any = entries.get("dtype")
    dtype = FIXED_DTYPES.get(name) if isinstance(name, str) else None
    return None if dtype is None else array_from_buffer(data, dtype, _checked_shape(entries["shape"]))


def _checked_shape(shape: Any) -> list[int]:
    if isinstance(shape, (list, tuple)):
        dims = cast("list[Any]", shape)
        if all(isinstance(dim, int) and dim >= 0 for dim in dims):
            return list(dims)
    raise ValueError(f"{shape!r:.80} is no shape")


def _with_arrays(value: Any) -> Any:
    """Puts arrays in place of their tags in a value that cbor2 read."""
    if isinstance(value, (list, tuple)):
        return [_with_arrays(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        entries = {key: _with_arrays(each) for key, each in cast("dict[Any, Any]", value).items()}
        data = entries.get("data")
        array = _described(entries, data) if isinstance(data, bytes) else None
        return entries if array is None else array
    if isinstance(value, cbor2.CBORTag):
        content: Any = value.value
        if value.tag in TYPED_ARRAYS and isinstance(content, bytes):
            return array_from_buffer(content, TYPED_ARRAYS[value.tag], None)
        if value.tag in _MULTI_DIMENSIONAL:
            return _multi_dimensional(value.tag, _with_arrays(content))
    return value
