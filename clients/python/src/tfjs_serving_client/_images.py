"""Turns images of Pillow into arrays. A form with the same files would become the same arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional, cast

import numpy as np

from ._arrays import Array


class InputSpec(NamedTuple):
    """The spec of one input."""

    dtype: str
    shape: Optional[list[int]]
    """-1 for a dim of any size; None for any rank."""

    @staticmethod
    def of(told: Mapping[str, Any]) -> InputSpec:
        """Reads the server's description, which has words in place of a shape of unknown rank."""
        shape = told["shape"]
        return InputSpec(told["dtype"], shape if isinstance(shape, list) else None)


# The mode for each number of channels that a model takes.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

# Pixels of these modes have more than 8 bits, which a conversion would cut off.
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")

# Pixels of these are indices, bits or inks. The rest are taken as they are where the model does not say how many channels it has.
_PLAIN = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def is_image(value: Any) -> bool:
    """True for an image of Pillow, or a list of images."""
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        return len(items) > 0 and all(map(is_image, items))
    return hasattr(value, "getbands") and hasattr(value, "convert")


def image_array(name: str, value: Any, spec: InputSpec | None) -> Array:
    """Pixels as uint8 [height, width, channels], from 0 to 255; of a list [images, height, width, channels].

    :param name: the input's, for the message
    :param spec: says how many channels there are, and the floats that pixels become; None where there is no such input
    :raises ValueError: for images of several sizes
    """
    if isinstance(value, (list, tuple)):
        arrays = [image_array(name, each, spec) for each in cast("list[Any]", value)]
        sizes = sorted({array.shape[:2] for array in arrays})
        if len(sizes) > 1:
            named = " and ".join(f"{width}x{height}" for height, width in sizes[:3])
            raise ValueError(f"input `{name}` is a list of images of several sizes, {named}: resize them to one")
        return np.stack(arrays)
    channels = spec.shape[-1] if spec is not None and spec.shape is not None and len(spec.shape) >= 3 else -1
    mode = value.mode if value.mode in _DEEP else _mode_for(value.mode, channels)
    array = np.asarray(value if value.mode == mode else value.convert(mode))
    if channels == 1:
        array = array[..., np.newaxis]
    is_float = spec is not None and spec.dtype in ("float16", "float32", "float64")
    return array.astype(spec.dtype) if spec is not None and is_float else array


def _mode_for(own: str, last_dim: int) -> str:
    """The mode whose pixels a model takes. A last dim that is no number of channels is the width of grey pixels."""
    if last_dim < 0:
        return _PLAIN.get(own, own)
    return _MODES.get(last_dim, "L")
