"""BMP files of every header, depth, packing and order of rows, after the groups of bmpsuite."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from .image_file import ImageFile, noise, packed, with_opacity

PLAIN, RLE8, RLE4, MASKS = 0, 1, 2, 3
WIDTH, HEIGHT = 13, 9


def padded(rows: np.ndarray) -> bytes:
    """Rows of bytes, each padded to a multiple of four."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).astype(np.uint8).tobytes()


def written(
    pixels: bytes,
    bits: int,
    *,
    packing: int = PLAIN,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    palette: bytes = b"",
    masks: tuple[int, ...] = (),
    header: int = 40,
    is_top_down: bool = False,
    colours: int = 0,
    gap: int = 0,
) -> bytes:
    """A file. `header` is the length of its second head: 12 and 16 to 64 are OS/2's, 40 to 124 those of Windows."""
    height, width = size
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if is_top_down else height, 1, bits, packing,
                           len(pixels), 2835, 2835, colours, 0)  # fmt: skip
        info = info[:header]
    # From 56 bytes on the masks are part of the header, before they stand behind it.
    info += b"".join(struct.pack("<I", mask) for mask in masks)
    if header == 108 or header == 124:
        info += b"BGRs"
    info = info.ljust(header, b"\0")
    start = 14 + len(info) + len(palette) + gap
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return head + info + palette + bytes(gap) + pixels


def palette_of(colours: np.ndarray, entry: int = 4) -> bytes:
    """Blue first, padded to `entry` bytes."""
    return np.pad(colours[:, ::-1], ((0, 0), (0, entry - 3))).astype(np.uint8).tobytes()


def indexed(bits: int, count: int | None = None, is_grey: bool = False, **options) -> tuple[bytes, np.ndarray]:
    count = count or 2**bits
    samples = noise(bits, HEIGHT, WIDTH, 1, count)[..., 0]
    colours = np.tile(np.arange(count)[:, None], 3) if is_grey else noise(9, 1, count, 3, 256)[0]
    rows = packed(samples, bits)
    pixels = padded(rows if options.get("is_top_down") else rows[::-1])
    entry = 3 if options.get("header") == 12 else 4
    used = 0 if count == 2**bits else count
    data = written(pixels, bits, palette=palette_of(colours, entry), colours=used, **options)
    return data, with_opacity(colours[samples])


def in_words(bits: int, masks: tuple[int, ...], *, packing: int = MASKS, **options) -> tuple[bytes, np.ndarray]:
    """Pixels of 16 or 32 bits whose channels lie where the masks say: red, green, blue and opacity."""
    levels = [bin(mask).count("1") for mask in masks]
    shifts = [(mask & -mask).bit_length() - 1 for mask in masks]
    channels = [noise(i, HEIGHT, WIDTH, 1, 2**level)[..., 0] for i, level in enumerate(levels)]
    words = sum(channel << shift for channel, shift in zip(channels, shifts))
    rows = np.asarray(words).astype("<u2" if bits == 16 else "<u4").view(np.uint8).reshape(HEIGHT, -1)
    pixels = padded(rows if options.get("is_top_down") else rows[::-1])
    told = masks if packing == MASKS else ()
    data = written(pixels, bits, packing=packing, masks=told, **options)
    eight = [channel * 255 // (2**level - 1) if level <= 8 else channel >> (level - 8)
             for channel, level in zip(channels, levels)]  # fmt: skip
    return data, with_opacity(np.stack(eight[:3], axis=2), eight[3] if len(eight) > 3 else 255)


def in_bytes(**options) -> tuple[bytes, np.ndarray]:
    height, width = options.get("size", (HEIGHT, WIDTH))
    rgb = noise(3, height, width, 3, 256)
    rows = rgb[:, :, ::-1].reshape(height, -1)
    pixels = padded(rows if options.get("is_top_down") else rows[::-1])
    return written(pixels, 24, **options), with_opacity(rgb)


def runs(bits: int) -> tuple[bytes, np.ndarray]:
    """Runs of one colour, pixels as they stand, and the ends of rows and of the image."""
    samples = np.repeat(noise(bits, HEIGHT, 5, 1, 2**bits)[..., 0], [3, 1, 4, 1, 4], axis=1)
    colours = noise(9, 1, 2**bits, 3, 256)[0]
    out = b""
    # Of four bits a run has two colours, one after the other.
    twice = 17 if bits == 4 else 1
    for row in samples[::-1]:
        out += bytes([3, int(row[0]) * twice])
        literal = row[3:9]
        values = bytes(literal.astype(np.uint8)) if bits == 8 else packed(literal[None], 4).tobytes()
        out += bytes([0, 6]) + values + bytes(len(values) % 2)
        out += bytes([4, int(row[9]) * twice]) + b"\0\0"
    data = written(out + b"\0\1", bits, packing=RLE8 if bits == 8 else RLE4, palette=palette_of(colours))
    return data, with_opacity(colours[samples])


RGB888 = (0xFF0000, 0xFF00, 0xFF)


def bmp_files() -> Iterator[ImageFile]:
    kinds = {
        **{f"{bits}bit": indexed(bits) for bits in (1, 4, 8)},
        **{f"{bits}bit-top-down": indexed(bits, is_top_down=True) for bits in (1, 4, 8)},
        **{f"{bits}bit-os2": indexed(bits, header=12) for bits in (1, 4, 8)},
        **{f"{bits}bit-grey": indexed(bits, is_grey=True) for bits in (1, 4, 8)},
        "4bit-few-colours": indexed(4, 12),
        "8bit-few-colours": indexed(8, 252),
        "8bit-few-greys": indexed(8, 252, is_grey=True),
        "8bit-grey-top-down": indexed(8, is_grey=True, is_top_down=True),
        "8bit-grey-gap": indexed(8, is_grey=True, gap=100),
        "16bit": in_words(16, (0x7C00, 0x3E0, 0x1F), packing=PLAIN),
        "16bit-555": in_words(16, (0x7C00, 0x3E0, 0x1F)),
        "16bit-565": in_words(16, (0xF800, 0x7E0, 0x1F)),
        "16bit-4444": in_words(16, (0xF00, 0xF0, 0xF, 0xF000), header=56),
        "24bit": in_bytes(),
        "24bit-top-down": in_bytes(is_top_down=True),
        "24bit-gap": in_bytes(gap=100),
        "24bit-os2": in_bytes(header=12),
        "24bit-os2-v2": in_bytes(header=64),
        "24bit-os2-v2-short": in_bytes(header=16),
        "24bit-palette": in_bytes(palette=bytes(1024), colours=256),
        "24bit-v4": in_bytes(header=108),
        "24bit-v5": in_bytes(header=124),
        **{f"24bit-{side}": in_bytes(size=(3, side)) for side in range(1, 9)},
        "32bit": in_words(32, RGB888, packing=PLAIN),
        "32bit-top-down": in_words(32, RGB888, packing=PLAIN, is_top_down=True),
        "32bit-masks": in_words(32, RGB888),
        "32bit-other-masks": in_words(32, (0xFF, 0xFF00, 0xFF0000)),
        "32bit-high-masks": in_words(32, (0xFF000000, 0xFF0000, 0xFF00)),
        "32bit-wide-masks": in_words(32, (0x3FF00000, 0xFFC00, 0x3FF)),
        "32bit-opacity": in_words(32, (*RGB888, 0xFF000000), header=56),
        "32bit-opacity-v4": in_words(32, (*RGB888, 0xFF000000), header=108),
        "32bit-opacity-v5": in_words(32, (*RGB888, 0xFF000000), header=124),
        "32bit-opacity-top-down": in_words(32, (*RGB888, 0xFF000000), header=124, is_top_down=True),
        "32bit-other-opacity": in_words(32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=124),
        "32bit-v5": in_words(32, RGB888, header=124),
        "rle8": runs(8),
        "rle4": runs(4),
    }
    for name, (data, rgba) in kinds.items():
        yield ImageFile(f"{name}.bmp", data, rgba)


def broken_bmp_files() -> Iterator[tuple[str, bytes]]:
    """Files that a decoder must not make pixels of: bmpsuite's group of bad ones."""
    good = in_bytes()[0]

    def changed(at: int, layout: str, value: int) -> bytes:
        data = bytearray(good)
        struct.pack_into(layout, data, at, value)
        return bytes(data)

    yield "half the pixels", good[: len(good) // 2]
    yield "no pixels", good[:54]
    yield "no width", changed(18, "<i", 0)
    yield "no height", changed(22, "<i", 0)
    yield "a negative width", changed(18, "<i", -13)
    yield "pixels behind the end", changed(10, "<I", 2**31)
    yield "pixels within the head", changed(10, "<I", 20)
    yield "0 bits", changed(28, "<H", 0)
    yield "48 bits", changed(28, "<H", 48)
    yield "a packing of its own", changed(30, "<I", 77)
    yield "a JPEG within", changed(30, "<I", 4)
    yield "a PNG within", changed(30, "<I", 5)
    yield "a header of 1 byte", changed(14, "<I", 1)
    yield "a header of 1 GB", changed(14, "<I", 2**30)
