"""Image formats, recognised by a file's first bytes: those that are read, and the names of those that are not."""

import struct
from pathlib import Path
from typing import BinaryIO

from skin_tune.data.decoding.raw_tiff import is_raw_tiff
from skin_tune.data.sources.files import RAW_SUFFIXES

HEAD = 4096
"""Bytes that tell the format of any file."""

_RAW = "camera raw"
_VIDEO = "video"
_NOT_READ: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF-", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (128, b"DICM", "DICOM"),
    (8, b"AVI ", _VIDEO),
    (0, b"\x1aE\xdf\xa3", _VIDEO),  # Matroska, WebM
    (0, b"\0\0\x01\xba", _VIDEO),  # MPEG
    (0, b"\0\0\x01\xb3", _VIDEO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),  # WMV
    (0, b"FUJIFILMCCD-RAW", _RAW),
    (0, b"IIRO", _RAW),  # Olympus
    (0, b"IIRS", _RAW),
    (0, b"MMOR", _RAW),
    (0, b"IIU\0", _RAW),  # Panasonic, Leica
    (0, b"II\x1a\0\0\0HEAPCCDR", _RAW),  # Canon CRW
    (0, b"FOVb", _RAW),  # Sigma
    (0, b"\0MRM", _RAW),  # Minolta
)
_TIFF = (b"II*\0", b"MM\0*")
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_QUICKTIME = {b"moov", b"mdat", b"wide", b"skip", b"pnot"}
"""Boxes that films of before `ftyp` begin with."""


def readable_formats(head: bytes) -> tuple[str, ...]:
    """The readers of Pillow to try for a file that begins with `head`."""
    brands = _brands(head)
    if brands & _AVIF_BRANDS:
        return ("AVIF", "HEIF")
    if brands & _HEIF_BRANDS:
        return ("HEIF", "AVIF")
    return ("JPEG", "PNG", "BMP", "WEBP", "TIFF")  # JPEG's opener takes MPO too


def unread_format(file: BinaryIO, head: bytes, suffix: str) -> str:
    """The name of a file's format where it is one that is not read, else empty. Moves the position in `file`."""
    for offset, magic, name in _NOT_READ:
        if head[offset:].startswith(magic):
            return name
    brands = _brands(head)
    if b"crx " in brands:  # Canon CR3
        return _RAW
    if (brands and not brands & (_AVIF_BRANDS | _HEIF_BRANDS)) or head[4:8] in _QUICKTIME:
        return _VIDEO
    if _is_svg(head):
        return "SVG"
    if head.startswith(_TIFF) and (suffix.lower() in RAW_SUFFIXES or is_raw_tiff(file, head)):
        return _RAW
    return ""


def advice(name: str, suffix: str) -> str:
    """Advice for a file in a format that is not read."""
    what = {_RAW: "develop it and save it", _VIDEO: "save a still of it"}.get(name, "save it")
    return f"{name} ({suffix}): {what} as JPEG, PNG or TIFF" if suffix else f"{name}: {what} as JPEG, PNG or TIFF"


def raw_by_name(path: Path) -> str:
    """`camera raw` where the name says so. For content nobody knows: makers' formats are too many to tell them all."""
    return _RAW if path.suffix.lower() in RAW_SUFFIXES else ""


def container_turns(file: BinaryIO) -> bool:
    """Whether a HEIF file says by itself how its picture is turned or mirrored; its EXIF tag then only repeats it."""
    file.seek(0)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"meta":
            properties = file.read(max(length - 8, 0))
            return b"irot" in properties or b"imir" in properties
        if length < 8:  # to the end of the file, or a length of 64 bits: only pictures are that long
            return True
        file.seek(length - 8, 1)
    return True


def _brands(head: bytes) -> set[bytes]:
    """Brands of an ISO base media file (HEIF, AVIF, films); empty for any other."""
    if head[4:8] != b"ftyp":
        return set()
    length = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, length - 3, 4)}


def _is_svg(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype")) and b"<svg" in text)
