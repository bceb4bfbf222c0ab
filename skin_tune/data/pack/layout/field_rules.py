"""Valid values for the fields of packs and checkpoints, which may come from anybody."""

import re
from typing import Any, TypeGuard

from skin_tune.regions import is_region_name
from skin_tune.storage.run_paths import CROPS_SUFFIX
from skin_tune.text.escaping import has_control, shown

SIZES = (16, 2048)
"""Sides in pixels that `prepare` cuts."""

MAX_CLASSES = 1000
"""More are measurements, not grades."""

_ID = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)


def is_whole(value: object, low: int = 0, high: int = 2**63 - 1) -> TypeGuard[int]:
    """Whether `value` is a whole number in [low, high]; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def wrong_region(value: object) -> str:
    """Why `value` is no region's name; empty if it is."""
    return "" if is_region_name(value) else f"region {shown(value)} is not one plain name"


def wrong_id(value: object, name: str = "pack_id") -> str:
    """Why `value` is no hash of a content, by which files of a cache are named; empty if it is."""
    fits = isinstance(value, str) and _ID.fullmatch(value)
    return "" if fits else f"{name} {shown(value)} is not of at most 64 letters and digits"


def wrong_crops_file(value: object) -> str:
    """Why `value` is not the bare name of a file of crops; empty if it is."""
    fits = (
        isinstance(value, str)
        and value.endswith(CROPS_SUFFIX)
        and not value.startswith(".")
        and not {"/", "\\"} & set(value)
        and not has_control(value)
        and len(value.encode()) <= 255
    )
    return "" if fits else f"crops file {shown(value)} is not the bare name of a file *{CROPS_SUFFIX}"


def wrong_size(value: object, name: str = "size") -> str:
    """Why `value` is no side of images in pixels; empty if it is."""
    low, high = SIZES
    return "" if is_whole(value, low, high) else f"{name} {shown(value)} is not a whole number in [{low}, {high}]"


def wrong_classes(value: object) -> str:
    """Why `value` is no list of class names; empty if it is."""
    if not isinstance(value, list):
        return f"classes {shown(value)} are not a list of names"
    if not 2 <= len(value) <= MAX_CLASSES:
        return f"there are {len(value)} classes, not 2 to {MAX_CLASSES}"
    seen: set[str] = set()
    for name in value:
        if problem := _wrong_name(name):
            return f"class {shown(name)} {problem}"
        if name in seen:
            return f"class {shown(name)} is there twice"
        seen.add(name)
    return ""


def _wrong_name(name: Any) -> str:
    if not isinstance(name, str):
        return "is not a text"
    if not name.strip():
        return "has no name"
    return "has control characters" if has_control(name) else ""
