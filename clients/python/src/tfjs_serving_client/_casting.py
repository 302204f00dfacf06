"""float64 and int64, which NumPy makes of plain numbers, as the dtype that a model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    # Pillow's images have the one, most others the other.
    is_array = hasattr(value, "__array__") or hasattr(value, "__array_interface__")
    return np.asarray(value) if is_array else value


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
    """The inputs, with float64 and int64 arrays in the dtypes that are asked for: floats rounded, whole numbers exact.

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
    result = _cast_within_kind(array, dtype)
    if result is not None:
        return result
    variable = name if name.isidentifier() else f"inputs[{name!r}]"
    line = f"to_bfloat16({variable})" if dtype == "bfloat16" else f"{variable}.astype(np.{'bool_' if dtype == 'bool' else dtype})"
    why = "would cut off what is behind the point" if _is_fraction_lost(array, dtype) else "cannot hold all its values"
    raise LossyCastError(f"input `{name}` is {array.dtype.name}, and {taker} takes {dtype}, which {why}: if that is meant, send {line}")


def _is_fraction_lost(array: Array, name: str) -> bool:
    return array.dtype.kind == "f" and name != "bfloat16" and np.dtype(name).kind in "iub"


def _cast_within_kind(array: Array, name: str) -> Array | None:
    """What NumPy calls a cast of the same kind, and whole numbers to any dtype that can hold them.

    Floats are rounded to nearest. None if floats would become whole numbers, or a value would not fit.
    """
    if name == "bfloat16":
        floats = _cast_within_kind(array, "float32")
        return None if floats is None else _if_finite(floats, to_bfloat16(floats), from_bfloat16)
    target = np.dtype(name)
    if target.kind in "fc":
        with np.errstate(over="ignore"):
            return _if_finite(array, array.astype(target), np.asarray)
    if array.dtype.kind == "f":
        return None
    limits = (0, 1) if target.kind == "b" else (int(np.iinfo(target).min), int(np.iinfo(target).max))
    return array.astype(target) if array.size == 0 or _lies_within(array, *limits) else None


def _if_finite(array: Array, result: Array, floats: Callable[[Array], Array]) -> Array | None:
    """The result, unless a number became an infinity in it."""
    return result if np.array_equal(np.isinf(array), np.isinf(floats(result))) else None


def _lies_within(array: Array, least: int, most: int) -> bool:
    """Compared as Python's numbers, which are exact."""
    return bool(array.min().item() >= least) and bool(array.max().item() <= most)
