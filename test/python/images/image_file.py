"""What an image file of the suite is: its bytes, and the pixels that its format's specification gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageFile:
    """`rgba`: uint8 [height, width, 4] if the file says exactly which; None where a decoder may round (JPEG)."""

    name: str
    data: bytes
    rgba: np.ndarray | None = None


def noise(seed: int, height: int, width: int, channels: int, levels: int) -> np.ndarray:
    """Samples int64 [height, width, channels] from 0 to `levels` - 1; every run makes the same."""
    return np.random.default_rng(seed).integers(0, levels, (height, width, channels))


def with_opacity(rgb: np.ndarray, opacity: np.ndarray | int = 255) -> np.ndarray:
    """uint8 [height, width, 4] of [height, width, 3] and [height, width]."""
    height, width, _ = rgb.shape
    alpha = np.broadcast_to(opacity, (height, width))
    return np.concatenate([rgb, alpha[..., None]], axis=2).astype(np.uint8)


def packed(samples: np.ndarray, bits: int) -> np.ndarray:
    """Rows of samples [height, samples of a row] as bytes, the first sample in the highest bits, rows padded to bytes."""
    if bits == 16:
        return samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    planes = (samples[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(planes.astype(np.uint8).reshape(len(samples), -1), axis=1)
