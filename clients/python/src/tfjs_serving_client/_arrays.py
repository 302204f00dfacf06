"""The sixteen dtypes in NumPy, and the form of their values in a message."""

from __future__ import annotations

from typing import Any, Sequence, Union

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Buffer = Union[bytes, memoryview]

BFLOAT16: np.dtype[Any] = np.dtype([("bfloat16", "<u2")])
"""bfloat16, which NumPy lacks: its 16 bits under that name. `array.view(ml_dtypes.bfloat16)` costs nothing; arrays of
ml_dtypes' own type are sent as they are."""

ROW_MAJOR, COLUMN_MAJOR = 40, 1040

# RFC 8746, section 2.1.
LITTLE_ENDIAN_TAGS = {
    "uint8": 64, "uint16": 69, "uint32": 70, "uint64": 71,
    "int8": 72, "int16": 77, "int32": 78, "int64": 79,
    "float16": 84, "float32": 85, "float64": 86,
}  # fmt: skip
_BIG_ENDIAN_TAGS = {
    "uint16": 65, "uint32": 66, "uint64": 67,
    "int16": 73, "int32": 74, "int64": 75,
    "float16": 80, "float32": 81, "float64": 82,
}  # fmt: skip

TYPED_ARRAYS: dict[int, np.dtype[Any]] = {
    **{tag: np.dtype(name).newbyteorder("<") for name, tag in LITTLE_ENDIAN_TAGS.items()},
    **{tag: np.dtype(name).newbyteorder(">") for name, tag in _BIG_ENDIAN_TAGS.items()},
    # This is uint8, too, with clamped arithmetic.
    68: np.dtype("uint8"),
}

# By name. A dtype without a tag travels as {"dtype", "shape", "data"}.
FIXED_DTYPES: dict[str, np.dtype[Any]] = {
    **{name: np.dtype(name).newbyteorder("<") for name in LITTLE_ENDIAN_TAGS},
    "bool": np.dtype("bool"),
    "bfloat16": BFLOAT16,
    "complex64": np.dtype("<c8"),
    "complex128": np.dtype("<c16"),
}


def dtype_name(array: Array) -> str:
    """The server's name for the dtype of an array: NumPy's, whatever the byte order, or `string` or `bfloat16`.

    :raises TypeError: if no tensor has it
    """
    dtype = array.dtype
    if dtype == BFLOAT16:
        return "bfloat16"
    if dtype.kind in "OSU":
        return "string"
    if dtype.name in FIXED_DTYPES:
        return dtype.name
    raise TypeError(f"no tensor has the dtype {dtype}")


def values_of(array: Array, name: str) -> memoryview:
    """The values, little-endian and row by row: the array's own memory if they lie in it so, else a copy."""
    if name == "bfloat16" and array.dtype != BFLOAT16:
        array = np.ascontiguousarray(array).view(np.uint16)
    elif array.dtype != FIXED_DTYPES[name]:
        array = array.astype(FIXED_DTYPES[name])
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def strings_of(array: Array) -> list[bytes]:
    """The elements of an array of text or byte strings, row by row, text in UTF-8.

    :raises TypeError: if there is anything else among them
    """
    elements: list[object] = array.reshape(-1).tolist()
    return [_as_bytes(element) for element in elements]


def array_from_buffer(data: Buffer, dtype: np.dtype[Any], shape: Sequence[int] | None, *, column_major: bool = False) -> Array:
    """A read-only array over `data`, which is copied only where it is not aligned or has the other byte order.

    :param shape: None for a vector
    :raises ValueError: if the shape asks for another number of bytes
    """
    array = np.frombuffer(data, dtype)
    if not array.flags.aligned or not dtype.isnative:
        array = array.astype(dtype.newbyteorder("="))
        array.flags.writeable = False
    if shape is None:
        return array
    return array.reshape(tuple(shape), order="F" if column_major else "C")


def array_from_strings(strings: Sequence[bytes | str], shape: Sequence[int], *, column_major: bool = False) -> Array:
    """An object array of byte strings."""
    array = np.empty(len(strings), dtype=object)
    array[:] = [_as_bytes(string) for string in strings]
    return array.reshape(tuple(shape), order="F" if column_major else "C")


def to_bfloat16(array: Any) -> Array:
    """Rounds floats to bfloat16 (to nearest, ties to even), as `BFLOAT16`."""
    floats = np.asarray(array, np.float32)
    bits = floats.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    # Rounding could turn the bits of a NaN into infinity or zero.
    quiet = (bits >> 16) | 0x40
    halves: Array = np.where(np.isnan(floats), quiet, rounded).astype("<u2")
    return halves.view(BFLOAT16)


def from_bfloat16(array: Array) -> NDArray[np.float32]:
    """The float32 values of an array of `BFLOAT16`."""
    bits = np.ascontiguousarray(array).view("<u2").astype(np.uint32) << 16
    return bits.view(np.float32)


def _as_bytes(element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if isinstance(element, str):
        return element.encode()
    raise TypeError(
        f"an array of objects holds text and bytes, and this one {type(element).__name__}: for numbers send array.astype(np.float32)"
    )
