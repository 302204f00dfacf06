"""PNG files of every colour type, depth, order of pixels and filter, after the groups of PngSuite.

https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from .image_file import ImageFile, noise, packed, with_opacity

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# First column and row, and the steps, of the seven passes of Adam7.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    guess = left + up - corner
    far = [abs(guess - each) for each in (left, up, corner)]
    is_left = (far[0] <= far[1]) & (far[0] <= far[2])
    return np.where(is_left, left, np.where(far[1] <= far[2], up, corner))


def filtered(rows: np.ndarray, step: int, kind: int | None) -> bytes:
    """The rows behind their filters' numbers. `kind` None takes one filter after the other."""
    out = []
    previous = np.zeros(rows.shape[1], np.int64)
    for y, row in enumerate(rows.astype(np.int64)):
        number = y % 5 if kind is None else kind
        left = np.concatenate([np.zeros(step, np.int64), row])[: len(row)]
        corner = np.concatenate([np.zeros(step, np.int64), previous])[: len(row)]
        guess = [0 * row, left, previous, (left + previous) // 2, paeth(left, previous, corner)][number]
        out.append(bytes([number]) + ((row - guess) % 256).astype(np.uint8).tobytes())
        previous = row
    return b"".join(out)


def written(
    samples: np.ndarray,
    colour: int,
    bits: int,
    *,
    interlaced: bool = False,
    filter_kind: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
    level: int = 6,
    idat_bytes: int = 2**20,
) -> bytes:
    """A file of samples [height, width, channels]. `before` the pixels stand chunks, and `after` them."""
    height, width, channels = samples.shape
    passes = PASSES if interlaced else [(0, 0, 1, 1)]
    step = max(1, channels * bits // 8)
    raw = b""
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        if part.size:
            raw += filtered(packed(part.reshape(len(part), -1), bits), step, filter_kind)
    data = zlib.compress(raw, level)
    pixels = b"".join(chunk(b"IDAT", data[at : at + idat_bytes]) for at in range(0, len(data), idat_bytes))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    return SIGNATURE + chunk(b"IHDR", head) + before + pixels + after + chunk(b"IEND")


def pixels_of(
    samples: np.ndarray, colour: int, bits: int, palette: np.ndarray | None, transparent: np.ndarray | None
) -> np.ndarray:
    """What the file means in eight bits: few bits are stretched, of sixteen the high ones count."""
    if colour == PALETTE:
        assert palette is not None
        index = samples[..., 0]
        opacity = np.full(256, 255)
        if transparent is not None:
            opacity[: len(transparent)] = transparent
        return with_opacity(palette[index], opacity[index])
    eight = samples >> 8 if bits == 16 else samples * 255 // (2**bits - 1)
    has_alpha = colour in (GREY_ALPHA, RGB_ALPHA)
    seen = eight[..., :-1] if has_alpha else eight
    opacity = eight[..., -1] if has_alpha else np.full(samples.shape[:2], 255)
    if transparent is not None:
        opacity = np.where((samples == transparent).all(axis=2), 0, 255)
    return with_opacity(np.broadcast_to(seen, (*seen.shape[:2], 3)), opacity)


def made(
    name: str, colour: int, bits: int, *, size: tuple[int, int] = (9, 13), is_transparent: bool = False, **options
) -> ImageFile:
    """Noise in a kind of file."""
    samples = noise(len(name) + bits + colour, *size, CHANNELS[colour], 2**bits)
    palette = transparent = None
    before = options.pop("before", b"")
    if colour == PALETTE:
        palette = noise(1, 1, 2**bits, 3, 256)[0]
        before += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if is_transparent and colour == PALETTE:
        # Shorter than the palette: the colours behind have full opacity.
        transparent = noise(2, 1, max(1, 2**bits // 2), 1, 256)[0, :, 0]
        before += chunk(b"tRNS", transparent.astype(np.uint8).tobytes())
    elif is_transparent:
        transparent = samples[0, 0]
        before += chunk(b"tRNS", transparent.astype(">u2").tobytes())
    data = written(samples, colour, bits, before=before, **options)
    return ImageFile(f"{name}.png", data, pixels_of(samples, colour, bits, palette, transparent))


ANCILLARY = {
    "srgb": chunk(b"sRGB", b"\0"),
    "chrm": chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    "phys": chunk(b"pHYs", struct.pack(">IIB", 1, 4, 0)),
    "text": chunk(b"tEXt", b"Title\0PNG") + chunk(b"zTXt", b"Note\0\0" + zlib.compress(b"long")),
    "time": chunk(b"tIME", struct.pack(">HBBBBB", 1999, 12, 31, 23, 59, 59)),
    "turned": chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
    "animated": chunk(b"acTL", struct.pack(">II", 1, 0))
    + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 13, 9, 0, 0, 1, 10, 0, 0)),
}


def png_files() -> Iterator[ImageFile]:
    kinds = [(colour, bits) for colour, depths in DEPTHS.items() for bits in depths]
    for colour, bits in kinds:
        for interlaced in (False, True):
            name = f"colour{colour}-{bits}bit{'-interlaced' if interlaced else ''}"
            yield made(name, colour, bits, interlaced=interlaced)
            if colour in (GREY, RGB, PALETTE):
                yield made(f"{name}-trns", colour, bits, interlaced=interlaced, is_transparent=True)
        for gamma in (35000, 45455, 100000):
            yield made(f"colour{colour}-{bits}bit-gamma{gamma}", colour, bits, before=chunk(b"gAMA", struct.pack(">I", gamma)))
    for kind in range(5):
        for colour, bits in ((GREY, 8), (RGB, 8), (PALETTE, 4), (RGB_ALPHA, 16)):
            yield made(f"filter{kind}-colour{colour}-{bits}bit", colour, bits, filter_kind=kind)
    for side in (1, 2, 3, 4, 5, 7, 8, 9, 32, 33):
        for interlaced in (False, True):
            name = f"side{side}{'-interlaced' if interlaced else ''}"
            yield made(f"{name}-palette", PALETTE, 2, size=(side, side), interlaced=interlaced)
            yield made(f"{name}-grey", GREY, 1, size=(side, 40 - side), interlaced=interlaced)
    for name, chunks in ANCILLARY.items():
        yield made(name, RGB, 8, before=chunks)
    yield made("background-colour", RGB, 8, before=chunk(b"bKGD", struct.pack(">HHH", 1, 2, 3)), is_transparent=True)
    yield made("background-grey", GREY_ALPHA, 8, before=chunk(b"bKGD", b"\0\x20"))
    yield made("significant-bits", RGB, 8, before=chunk(b"sBIT", b"\5\6\5"))
    yield made("suggested-palette", RGB, 8, before=chunk(b"PLTE", bytes(range(48))))
    yield made("one-byte-idat", RGB, 8, size=(3, 3), idat_bytes=1)
    yield made("stored", RGB, 8, level=0)
    yield made("smallest", RGB, 8, level=9, after=chunk(b"tEXt", b"a\0b"))


def broken_png_files() -> Iterator[tuple[str, bytes]]:
    """Files that a decoder must not make pixels of. Those of PngSuite's group x, and others."""
    good = made("good", RGB, 8).data
    end = good.index(b"IDAT") - 4
    yield "a wrong sum in the head", good[:29] + b"\0\0\0\0" + good[33:]
    yield "a wrong sum in the pixels", good[:-17] + bytes([good[-17] ^ 1]) + good[-16:]
    yield "no pixels", good[:end] + chunk(b"IEND")
    yield "half the pixels", good[: len(good) // 2]
    yield "text for bytes", good.replace(b"\r\n", b"\n")
    for colour, bits in ((1, 8), (5, 8), (7, 8), (RGB, 4), (PALETTE, 16), (GREY, 3), (GREY, 0), (RGB_ALPHA, 99)):
        head = struct.pack(">IIBBBBB", 13, 9, bits, colour, 0, 0, 0)
        yield f"colour type {colour} of {bits} bits", SIGNATURE + chunk(b"IHDR", head) + good[33:]
    for where, value in ((10, 1), (11, 1), (12, 2)):
        head = bytearray(struct.pack(">IIBBBBB", 13, 9, 8, RGB, 0, 0, 0))
        head[where] = value
        yield f"a method {value} at {where}", SIGNATURE + chunk(b"IHDR", bytes(head)) + good[33:]
    for width, height in ((0, 9), (13, 0), (2**31, 9)):
        head = struct.pack(">IIBBBBB", width, height, 8, RGB, 0, 0, 0)
        yield f"{width} times {height} pixels", SIGNATURE + chunk(b"IHDR", head) + good[33:]
    yield "a palette without colours", written(noise(1, 9, 13, 1, 2), PALETTE, 1)
    yield "an unknown critical chunk", good[:33] + chunk(b"ABCD", b"x") + good[33:]
    yield "Apple's own PNG", SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x06") + good[8:]
