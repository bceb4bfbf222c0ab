"""TIFF or camera raw? Most raw files are TIFF whose first picture is a thumbnail, which must not pass for the photo."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_SENSOR_DATA = {32803, 34892}
"""Photometric interpretations of what a sensor saw: colour filter array, linear raw."""


def is_raw_tiff(file: BinaryIO, head: bytes) -> bool:
    """Whether a TIFF, which begins with `head`, is a camera's raw file. Moves the position in `file`."""
    if head[8:10] == b"CR":  # Canon CR2
        return True
    for number, tags in enumerate(_directories(file, "<" if head.startswith(b"II") else ">")):
        photometric = tags.get(_PHOTOMETRIC, [0])[0]
        is_thumbnail = number == 0 and tags.get(_SUBFILE_TYPE, [0])[0] & 1 and _SUB_IFDS in tags
        if photometric in _SENSOR_DATA or _DNG_VERSION in tags or is_thumbnail:
            return True
    return False


def _directories(file: BinaryIO, order: str) -> Iterator[dict[int, list[int]]]:
    """A TIFF's directories, those that they point at among them: values of the tags that raw files are told by."""
    file.seek(4)
    waiting = [_number(file, order, 4)]
    for _ in range(16):  # a directory may point back at itself
        if not waiting or not waiting[0]:
            return
        file.seek(waiting.pop(0))
        tags: dict[int, list[int]] = {}
        for _ in range(_number(file, order, 2)):
            entry = file.read(12)
            if len(entry) < 12:
                return
            tag, kind, count = struct.unpack(order + "HHI", entry[:8])
            if tag in (_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION):
                tags[tag] = _values(file, order, kind, count, entry[8:])
        following = _number(file, order, 4)
        waiting += [offset for offset in (*tags.get(_SUB_IFDS, ()), following) if offset]
        yield tags


def _values(file: BinaryIO, order: str, kind: int, count: int, inline: bytes) -> list[int]:
    """Up to 16 whole numbers of a directory's entry."""
    code, length = {1: ("B", 1), 3: ("H", 2)}.get(kind, ("I", 4))
    count = min(count, 16)
    if count * length > 4:
        back = file.tell()
        file.seek(struct.unpack(order + "I", inline)[0])
        inline = file.read(count * length)
        file.seek(back)
    whole = min(count, len(inline) // length)
    return list(struct.unpack(f"{order}{whole}{code}", inline[: whole * length])) or [0]


def _number(file: BinaryIO, order: str, length: int) -> int:
    return int.from_bytes(file.read(length), "little" if order == "<" else "big")
