"""Image files by hand, which no library writes, and what becomes of a file as one crop."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from skin_tune.data.preparation.crops import Cut, CutResult, cut_photo
from skin_tune.data.sources.files import MAX_MEGAPIXELS
from skin_tune.data.sources.manifest import Box

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (235, 235, 235)
Directory = dict[int, tuple[int, list[int]]]


def cut(
    path: Path, size: int = 32, box: Box | None = None, *, max_megapixels: int = MAX_MEGAPIXELS
) -> tuple[CutResult, np.ndarray]:
    ((result, data),) = cut_photo(path, [Cut(0, box, False)], size, max_megapixels)
    pixels = np.frombuffer(data, np.uint8)
    return result, pixels.reshape(size, size, 3).astype(int) if result.digest else pixels


def read(path: Path, size: int = 32) -> np.ndarray:
    result, pixels = cut(path, size)
    assert result.reason == "", result.detail
    return pixels


def refusal(path: Path, *, max_megapixels: int = MAX_MEGAPIXELS) -> tuple[str, str]:
    result, pixels = cut(path, max_megapixels=max_megapixels)
    assert len(pixels) == 0
    return result.reason, result.detail


def assert_colour(pixels: np.ndarray, colour: Any, within: int = 2) -> None:
    assert np.abs(pixels - np.asarray(colour)).max() <= within, (pixels[0, 0], colour)


def assert_corners(pixels: np.ndarray, *colours: tuple[float, ...], within: float = 15) -> None:
    half = len(pixels) // 2
    quarters = [pixels[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
    for quarter, colour in zip(quarters, colours, strict=True):
        mean = quarter.mean(axis=(0, 1))
        assert np.abs(mean - colour).max() < within, (mean, colour)


def png(path: Path, bits: int, colour_type: int, rows: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    """A PNG by hand: `rows` are its bytes, uint8 [height, bytes per row]."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    width = rows.shape[1] * 8 // (bits * channels)
    scanlines = np.insert(rows, 0, 0, axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(scanlines)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data)
    return path


def tiff(path: Path, *directories: Directory, order: str = "<", data: bytes = b"") -> Path:
    """A TIFF by hand: directories in a chain, each {tag: (3 for SHORT or 4 for LONG, values)}; `data` is at byte 8."""
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data)) + data
    for number, tags in enumerate(directories):
        after = len(out) + 2 + 12 * len(tags) + 4
        entries, far = b"", b""
        for tag, (kind, values) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
            if len(packed) > 4:
                far, packed = far + packed, struct.pack(order + "I", after + len(far))
            entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
        following = after + len(far) if number + 1 < len(directories) else 0
        out += struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", following) + far
    path.write_bytes(out)
    return path


def header_of(path: Path, width: int, height: int) -> Path:
    """A PNG that only says how large it is."""
    data = bytearray(png(path, 8, 2, np.zeros((1, 3), np.uint8)).read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    return path
