"""JPEG files: colours, ways of packing them, sizes. Those of Pillow, and a writer for samplings that it has not.

ITU T.81.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from .image_file import ImageFile

Factors = tuple[int, int]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 255, marker, len(data) + 2) + data


def huffman(is_ac: bool, codes_of_four_bits: list[int]) -> bytes:
    """A table whose codes all have four bits."""
    counts = [0, 0, 0, len(codes_of_four_bits)] + [0] * 12
    return segment(0xC4, bytes([is_ac << 4, *counts, *codes_of_four_bits]))


class Bits:
    def __init__(self) -> None:
        self.text = ""

    def add(self, value: int, count: int) -> None:
        self.text += format(value, f"0{count}b") if count else ""

    def data(self) -> bytes:
        text = self.text + "1" * (-len(self.text) % 8)
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")


def flat_blocks(size: tuple[int, int], factors: list[Factors], seed: int = 1, adobe: int | None = None) -> bytes:
    """A baseline file whose blocks have one value each; `factors` say how finely each channel is sampled."""
    height, width = size
    most_x, most_y = max(x for x, _ in factors), max(y for _, y in factors)
    units_x, units_y = -(-width // (8 * most_x)), -(-height // (8 * most_y))
    random = np.random.default_rng(seed)
    bits, before = Bits(), [0] * len(factors)
    for _ in range(units_x * units_y):
        for channel, (x, y) in enumerate(factors):
            for _ in range(x * y):
                value = int(random.integers(-100, 100))
                step, before[channel] = value - before[channel], value
                count = abs(step).bit_length()
                bits.add(count, 4)
                bits.add(step if step >= 0 else step + 2**count - 1, count)
                bits.add(0, 4)
    parts = b"".join(bytes([i + 1, x << 4 | y, 0]) for i, (x, y) in enumerate(factors))
    count = bytes([len(factors)])
    app14 = b"" if adobe is None else segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    return (
        b"\xff\xd8"
        + app14
        + segment(0xDB, b"\0" + bytes([8] * 64))
        + segment(0xC0, struct.pack(">BHH", 8, height, width) + count + parts)
        + huffman(False, list(range(12)))
        + huffman(True, [0])
        + segment(0xDA, count + b"".join(bytes([i + 1, 0]) for i in range(len(factors))) + b"\0\x3f\0")
        + bits.data()
        + b"\xff\xd9"
    )


def picture(height: int, width: int, mode: str) -> Image.Image:
    """Smooth colours: noise is what JPEG is worst at."""
    y, x = np.mgrid[0:height, 0:width]
    count = len(Image.new(mode, (1, 1)).getbands())
    waves = [128 + 100 * np.sin(x / (5 + i) + i) * np.cos(y / (4 + i)) for i in range(count)]
    return Image.merge(mode, [Image.fromarray(wave.astype(np.uint8)) for wave in waves])


def saved(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def jpeg_files() -> Iterator[ImageFile]:
    for height, width in ((33, 47), (16, 16), (1, 1), (8, 9), (7, 64)):
        size = f"{height}x{width}"
        yield ImageFile(f"grey-{size}.jpg", saved(picture(height, width, "L")))
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            for progressive in (False, True):
                name = f"colour-{size}-{subsampling.replace(':', '')}{'-progressive' if progressive else ''}"
                options = {"subsampling": subsampling, "progressive": progressive, "quality": 90}
                yield ImageFile(f"{name}.jpg", saved(picture(height, width, "RGB"), **options))
        yield ImageFile(f"cmyk-{size}.jpg", saved(picture(height, width, "CMYK"), quality=90))
        yield ImageFile(f"cmyk-{size}-progressive.jpg", saved(picture(height, width, "CMYK"), progressive=True))
    colour = picture(33, 47, "RGB")
    yield ImageFile("grey-progressive.jpg", saved(picture(33, 47, "L"), progressive=True))
    yield ImageFile("rgb.jpg", saved(colour, keep_rgb=True))
    yield ImageFile("restarts.jpg", saved(colour, restart_marker_blocks=2))
    yield ImageFile("coarse.jpg", saved(colour, quality=5))
    yield ImageFile("finest.jpg", saved(colour, quality=100, subsampling=0))
    yield ImageFile("comment.jpg", saved(colour, comment=b"\xff\xd8 not a picture \xff\xda"))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield ImageFile(f"orientation{orientation}.jpg", saved(colour, exif=exif))
    yield ImageFile("without-jfif.jpg", flat_blocks((33, 47), [(1, 1)] * 3))
    for factors in ((4, 1), (1, 2), (1, 4), (2, 4), (4, 2), (4, 4), (2, 2)):
        x, y = factors
        yield ImageFile(f"sampling-{x}x{y}.jpg", flat_blocks((33, 70), [factors, (1, 1), (1, 1)]))
    yield ImageFile("sampling-mixed.jpg", flat_blocks((33, 70), [(2, 2), (2, 1), (1, 2)]))
    yield ImageFile("sampling-chroma.jpg", flat_blocks((33, 70), [(1, 1), (2, 2), (2, 2)]))
    yield ImageFile("sampling-grey.jpg", flat_blocks((33, 70), [(2, 2)]))
    for adobe in (0, 1):
        yield ImageFile(f"adobe{adobe}.jpg", flat_blocks((20, 30), [(1, 1)] * 3, adobe=adobe))
    for adobe in (None, 0, 2):
        yield ImageFile(f"four-channels-adobe{adobe}.jpg", flat_blocks((20, 30), [(1, 1)] * 4, adobe=adobe))


def broken_jpeg_files() -> Iterator[tuple[str, bytes]]:
    good = saved(picture(33, 47, "RGB"))
    scan, frame = good.index(b"\xff\xda"), good.index(b"\xff\xc0")
    yield "no pixels", good[:scan] + b"\xff\xd9"
    yield "no tables", good[:20] + good[frame:]
    yield "half the pixels", good[: (scan + len(good)) // 2]
    yield "no end", good[:-2]
    yield "two channels", flat_blocks((20, 30), [(1, 1)] * 2)
    yield "no scan", good[:scan]
    yield "no height", good[: frame + 5] + b"\0\0" + good[frame + 7 :]
