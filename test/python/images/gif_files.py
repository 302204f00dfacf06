"""GIF files: palettes, sizes, orders of rows, transparency, frames.

https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from .image_file import ImageFile, noise, with_opacity

HEIGHT, WIDTH = 9, 13


def table(bits: int, seed: int) -> np.ndarray:
    return noise(seed, 1, 2**bits, 3, 256)[0]


def squeezed(samples: np.ndarray, bits: int) -> bytes:
    """LZW whose table never grows past its first width: a clear code stands before it would."""
    least = max(bits, 2)
    clear, width, accumulated, filled = 2**least, least + 1, 0, 0
    codes = []
    for i, sample in enumerate(samples.ravel()):
        if i % (2**least - 2) == 0:
            codes.append(clear)
        codes.append(int(sample))
    out = bytearray()
    for code in [*codes, clear + 1]:
        accumulated |= code << filled
        filled += width
        while filled >= 8:
            out.append(accumulated & 255)
            accumulated, filled = accumulated >> 8, filled - 8
    if filled:
        out.append(accumulated)
    blocks = [bytes(out[at : at + 255]) for at in range(0, len(out), 255)]
    return bytes([least]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def frame(
    samples: np.ndarray,
    bits: int,
    *,
    at: tuple[int, int] = (0, 0),
    local: np.ndarray | None = None,
    interlaced: bool = False,
    transparent: int | None = None,
    disposal: int = 0,
) -> bytes:
    height, width = samples.shape
    y, x = at
    control = b""
    if transparent is not None or disposal:
        flags = disposal << 2 | (transparent is not None)
        control = b"!\xf9\x04" + struct.pack("<BHBB", flags, 10, transparent or 0, 0)
    flags = (interlaced << 6) | (0 if local is None else 0x80 | (bits - 1))
    head = b"," + struct.pack("<HHHHB", x, y, width, height, flags)
    colours = b"" if local is None else local.astype(np.uint8).tobytes()
    order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
    rows = samples[order] if interlaced else samples
    return control + head + colours + squeezed(rows, bits)


def file_of(
    frames: bytes, bits: int, shared: np.ndarray | None, *, version: bytes = b"89a", before: bytes = b"", background: int = 0
) -> bytes:
    flags = 0x70 if shared is None else 0xF0 | (bits - 1)
    head = b"GIF" + version + struct.pack("<HHBBB", WIDTH, HEIGHT, flags, background, 0)
    return head + (b"" if shared is None else shared.astype(np.uint8).tobytes()) + before + frames + b";"


LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
COMMENT = b"!\xfe\x05hello\0"


def gif_files() -> Iterator[ImageFile]:
    for bits in range(1, 9):
        samples, colours = noise(bits, HEIGHT, WIDTH, 1, 2**bits)[..., 0], table(bits, 9)
        rgba = with_opacity(colours[samples])
        clear = int(samples[0, 0])
        without = with_opacity(colours[samples], np.where(samples == clear, 0, 255))
        name = f"{bits}bit"
        yield ImageFile(f"{name}.gif", file_of(frame(samples, bits), bits, colours), rgba)
        yield ImageFile(f"{name}-87a.gif", file_of(frame(samples, bits), bits, colours, version=b"87a"), rgba)
        yield ImageFile(f"{name}-interlaced.gif", file_of(frame(samples, bits, interlaced=True), bits, colours), rgba)
        yield ImageFile(f"{name}-transparent.gif", file_of(frame(samples, bits, transparent=clear), bits, colours), without)
        yield ImageFile(f"{name}-local.gif", file_of(frame(samples, bits, local=colours), bits, None), rgba)
        other = file_of(frame(samples, bits, local=colours), bits, table(bits, 10))
        yield ImageFile(f"{name}-local-before-shared.gif", other, rgba)

    samples, colours = noise(3, HEIGHT, WIDTH, 1, 8)[..., 0], table(3, 9)
    first = frame(samples, 3)
    rgba = with_opacity(colours[samples])
    for disposal in range(4):
        second = frame(samples[::-1, ::-1], 3, disposal=disposal)
        third = frame(samples[:4, :5], 3, at=(2, 3), disposal=disposal, transparent=1)
        data = file_of(frame(samples, 3, disposal=disposal) + second + third, 3, colours, before=LOOP)
        yield ImageFile(f"animated-disposal{disposal}.gif", data, rgba)
    yield ImageFile("comment.gif", file_of(first, 3, colours, before=COMMENT), rgba)
    yield ImageFile("background.gif", file_of(first, 3, colours, background=5), rgba)
    small = file_of(frame(samples[:4, :5], 3, at=(2, 3)), 3, colours)
    yield ImageFile("smaller-than-its-screen.gif", small, None)
    small = file_of(frame(samples[:4, :5], 3, at=(2, 3), transparent=0), 3, colours, background=2)
    yield ImageFile("smaller-than-its-screen-transparent.gif", small, None)
    large = noise(3, HEIGHT + 3, WIDTH + 4, 1, 8)[..., 0]
    yield ImageFile("larger-than-its-screen.gif", file_of(frame(large, 3), 3, colours), None)


def broken_gif_files() -> Iterator[tuple[str, bytes]]:
    samples, colours = noise(3, HEIGHT, WIDTH, 1, 8)[..., 0], table(3, 9)
    good = file_of(frame(samples, 3), 3, colours)
    yield "half the pixels", good[: len(good) // 2]
    yield "no frame", file_of(b"", 3, colours)
    yield "no colours", file_of(frame(samples, 3), 3, None)
    yield "an unknown block", file_of(b"@\1\0\0" + frame(samples, 3), 3, colours)
    yield "fewer pixels than it says", file_of(
        frame(samples, 3)[:10] + squeezed(samples[:2], 3), 3, colours
    )
