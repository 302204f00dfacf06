"""Turns inputs into what a model takes: images, and float64 and int64 arrays, which NumPy makes from plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ._arrays import Array, from_bfloat16, to_bfloat16
from ._composites import RaggedTensor, SparseTensor, composite_of
from ._errors import LossyCastError
from ._images import InputSpec, image_array, is_image

_WIDE = (np.dtype("float64"), np.dtype("int64"))


def as_input(value: Any) -> Any:
    """Lists of arrays or of NumPy's numbers, and what else turns into an array, as one array; the rest as it is, images too."""
    if is_image(value):
        return value
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
    is_array = hasattr(value, "__array__") or hasattr(value, "__array_interface__")
    return np.asarray(value) if is_array else value


def _is_uneven(rows: Sequence[Any]) -> bool:
    """True for rows that do not fit into one array. A ragged input takes them as they are."""
    shapes = {np.shape(cast(Any, row)) if isinstance(row, (np.ndarray, np.generic)) else None for row in rows}
    nested = (_is_uneven(cast("list[Any]", row)) for row in rows if isinstance(row, (list, tuple)))
    return len(shapes) > 1 or any(nested)


def needs_spec(value: Any) -> bool:
    """True if the model's inputs decide what is sent."""
    return is_image(value) or _is_wide(value)


def _is_wide(value: Any) -> bool:
    """True for a dtype that NumPy may have chosen by itself."""
    if isinstance(value, (SparseTensor, RaggedTensor)):
        return _is_wide(value.values)
    if isinstance(value, (list, tuple)):
        # The rows of a ragged input.
        return any(_is_wide(row) for row in cast("list[Any]", value))
    return isinstance(value, np.ndarray) and cast(Array, value).dtype.newbyteorder("=") in _WIDE


def cast_inputs(inputs: Mapping[str, Any], specs: Mapping[str, InputSpec], taker: str) -> dict[str, Any]:
    """The inputs, with images as arrays, and float64 and int64 arrays in the dtypes that are asked for: floats rounded,
    whole numbers exact.

    :param specs: by the names of the inputs
    :param taker: what takes them, for the message
    :raises LossyCastError: naming the line to write
    """
    return {name: _adapt(name, value, specs.get(name), taker) for name, value in inputs.items()}


def _adapt(name: str, value: Any, spec: InputSpec | None, taker: str) -> Any:
    if is_image(value):
        return image_array(name, value, spec)
    return _cast_input(name, value, spec and spec.dtype, taker)


def _cast_input(name: str, value: Any, dtype: str | None, taker: str) -> Any:
    if dtype is None or dtype == "string" or not _is_wide(value):
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
    raise LossyCastError(f"input `{name}` is {array.dtype.name}, and {taker} takes {dtype}, {_advice(array, dtype, variable)}")


def _advice(array: Array, dtype: str, variable: str) -> str:
    """Says why values do not fit into a dtype, and which line to write."""
    if dtype == "bfloat16":
        return f"which cannot hold all its values: if that is meant, send to_bfloat16({variable})"
    target = f"np.{'bool_' if dtype == 'bool' else dtype}"
    if array.dtype.kind != "f" or np.dtype(dtype).kind not in "iub":
        return f"which cannot hold all its values: if that is meant, send {variable}.astype({target})"
    if not np.isfinite(array).all():
        return "which has no NaN and no infinity: replace them before"
    if (array == np.floor(array)).all():
        return f"and its values are whole: send {variable}.astype({target})"
    if dtype == "uint8" and array.min() >= 0 and array.max() <= 1:
        return f"and its values lie between 0 and 1: if they are pixels, send (255 * {variable}).round().astype({target})"
    return f"which has no fractions: if rounding is meant, send {variable}.round().astype({target})"


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
    """The result, unless a number became infinite in it."""
    return result if np.array_equal(np.isinf(array), np.isinf(floats(result))) else None


def _lies_within(array: Array, least: int, most: int) -> bool:
    """Compares the values as numbers of Python, which are exact."""
    return bool(array.min().item() >= least) and bool(array.max().item() <= most)
