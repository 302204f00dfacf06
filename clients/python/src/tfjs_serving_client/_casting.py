"""float64 and int64, which NumPy makes of plain numbers, as the dtype that a model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ._arrays import Array, from_bfloat16, to_bfloat16
from ._composites import RaggedTensor, SparseTensor, composite_of
from ._errors import LossyCastError

_WIDE = (np.dtype("float64"), np.dtype("int64"))


def as_input(value: Any) -> Any:
    """Lists of arrays or of NumPy's numbers, and what else turns into an array, as one array; the rest as it is."""
    composite = composite_of(value)
    if composite is not None:
        return composite
    if isinstance(value, (list, tuple)):
        first: Any = cast("list[Any]", value)
        while isinstance(first, (list, tuple)) and first:
            first = cast("list[Any]", first)[0]
        is_array = isinstance(first, (np.ndarray, np.generic)) and not _is_uneven(cast("list[Any]", value))
        return np.asarray(cast(Any, value)) if is_array else cast(Any, value)
    if isinstance(value, (str, bytes)):
        return value
    return np.asarray(value) if hasattr(value, "__array__") else value


def _is_uneven(rows: Sequence[Any]) -> bool:
    """Whether rows that are arrays fit into no array: a ragged input takes them as they are."""
    shapes = {np.shape(cast(Any, row)) if isinstance(row, (np.ndarray, np.generic)) else None for row in rows}
    nested = (_is_uneven(cast("list[Any]", row)) for row in rows if isinstance(row, (list, tuple)))
    return len(shapes) > 1 or any(nested)


def is_wide(value: Any) -> bool:
    """Whether the dtype may have come about by itself."""
    if isinstance(value, (SparseTensor, RaggedTensor)):
        return is_wide(value.values)
    if isinstance(value, (list, tuple)):
        # The rows of a ragged input.
        return any(is_wide(row) for row in cast("list[Any]", value))
    return isinstance(value, np.ndarray) and cast(Array, value).dtype.newbyteorder("=") in _WIDE


def cast_inputs(inputs: Mapping[str, Any], dtypes: Mapping[str, str], taker: str) -> dict[str, Any]:
    """The inputs, with float64 and int64 arrays in the dtypes that are asked for.

    :param dtypes: by the names of the inputs
    :param taker: what takes them, for the message
    :raises LossyCastError: naming the line to write
    """
    return {name: _cast_input(name, value, dtypes.get(name), taker) for name, value in inputs.items()}


def _cast_input(name: str, value: Any, dtype: str | None, taker: str) -> Any:
    if dtype is None or dtype == "string" or not is_wide(value):
        return value
    if isinstance(value, (SparseTensor, RaggedTensor)):
        # Row splits and indices may have any width.
        return replace(value, values=_cast_input(name, value.values, dtype, taker))
    if isinstance(value, (list, tuple)):
        return [_cast_input(name, row, dtype, taker) for row in cast("list[Any]", value)]
    array = cast(Array, value)
    if array.dtype.name == dtype:
        return array
    result = _cast_exactly(array, dtype)
    if result is not None:
        return result
    variable = name if name.isidentifier() else f"inputs[{name!r}]"
    line = f"to_bfloat16({variable})" if dtype == "bfloat16" else f"{variable}.astype(np.{'bool_' if dtype == 'bool' else dtype})"
    raise LossyCastError(
        f"input `{name}` is {array.dtype.name} where {taker} takes {dtype}, which cannot hold its values exactly: "
        f"if that is meant, send {line}"
    )


def _cast_exactly(array: Array, name: str) -> Array | None:
    """The same values in another dtype; None if one of them would change."""
    if array.size == 0:
        return _convert(array, name)
    if name == "bfloat16":
        floats = _cast_exactly(array, "float32")
        result = None if floats is None else to_bfloat16(floats)
        return result if result is not None and np.array_equal(from_bfloat16(result), cast(Any, floats), equal_nan=True) else None
    if name.startswith("complex"):
        parts = _cast_exactly(array, "float32" if name == "complex64" else "float64")
        return None if parts is None else parts.astype(name)
    target = np.dtype(name)
    if target.kind in "iu" and not _lies_within(array, np.iinfo(target)):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        result = array.astype(target)
    # What is rounded up to 2^63 has no way back to int64.
    if array.dtype.kind == "i" and target.kind == "f" and not _lies_within(result, np.iinfo(array.dtype)):
        return None
    back = result.astype(array.dtype)
    return result if np.array_equal(back, array, equal_nan=array.dtype.kind == "f") else None


def _convert(array: Array, name: str) -> Array:
    return to_bfloat16(array) if name == "bfloat16" else array.astype(name)


def _lies_within(array: Array, limits: np.iinfo[Any]) -> bool:
    """Compared as Python's numbers, which are exact; false for NaN."""
    return bool(array.min().item() >= int(limits.min)) and bool(array.max().item() <= int(limits.max))
