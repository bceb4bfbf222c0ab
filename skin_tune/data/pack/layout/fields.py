"""Checks of a pack's metadata, field by field.

Every problem is a PackError that names the field and what it holds; `open_pack` adds the file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from skin_tune.data.pack.layout.field_rules import (
    is_whole,
    wrong_classes,
    wrong_crops_file,
    wrong_id,
    wrong_region,
    wrong_size,
)
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.errors import PackChangedError, PackError
from skin_tune.text.escaping import shown


class OtherVersionError(PackError):
    """It is a pack, of a version that this program does not read."""


class CropsFileError(PackError):
    """The file that holds a pack's crops is missing, or is not that file."""


@contextmanager
def told_as_no_pack(name: str) -> Iterator[None]:
    """Raise a PackError that names the file for whatever a file that is no pack does to its reader.

    What the system says, as of a disk or a bucket that does not answer, is passed on as an OSError.
    """
    try:
        yield
    except PackChangedError:
        raise
    except OtherVersionError as error:
        raise PackError(f"pack {name!r} {error}; prepare it again") from None
    except CropsFileError as error:
        raise CropsFileError(f"pack {name!r} {error}") from None
    except PackError as error:
        raise PackError(f"{name!r} is not a pack: {error}; make one with skin-tune prepare") from None
    except Exception as error:  # a foreign file can fail to be read in many ways
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PackError(f"{name!r} is not a pack; make one with skin-tune prepare") from None


def read_metadata(text: bytes | None) -> dict[str, Any]:
    """The JSON object that a pack's schema carries. Raises PackError where there is none."""
    if text is None:
        raise PackError("it says nothing of itself")
    try:
        metadata: Any = json.loads(text)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, a number or a nesting beyond all bounds
        raise PackError("what it says of itself is not JSON") from None
    if not isinstance(metadata, dict):
        raise PackError(f"what it says of itself is {shown(metadata)}, not a JSON object")
    return metadata


def checked_version(metadata: Mapping[str, Any], readable: Sequence[int]) -> int:
    """The `format_version` of a pack. Raises OtherVersionError for one that is not `readable`."""
    if "format_version" not in metadata:
        raise PackError("it does not say its format_version")
    version = metadata["format_version"]
    if not is_whole(version) or version not in readable:
        raise OtherVersionError(f"has format version {shown(version)}, this program reads up to {max(readable)}")
    return version


def checked_fields(metadata: Mapping[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a PackInfo in `metadata`; those that this program does not know are left out.

    Raises PackError for one that is missing, unless it is `optional`, or holds what it cannot hold.
    """
    for name, wrong in _WRONG.items():
        if name in metadata:
            if problem := wrong(metadata[name]):
                raise PackError(problem)
        elif name not in optional:
            raise PackError(f"it does not say its {name}")
    return {name: metadata[name] for name in _WRONG if name in metadata}


def checked_crops(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Name and id of the file that holds a pack's crops. Raises PackError where they can be none."""
    crops = metadata.get("crops")
    if not isinstance(crops, dict):
        raise PackError(f"crops {shown(crops)} are not the name of a file and its id")
    if problem := wrong_crops_file(crops.get("file")) or wrong_id(crops.get("crops_id"), "crops_id"):
        raise PackError(problem)
    return crops["file"], crops["crops_id"]


def _wrong_truth(name: str) -> Callable[[Any], str]:
    return lambda value: "" if isinstance(value, bool) else f"{name} {shown(value)} is neither true nor false"


def _wrong_seed(value: Any) -> str:
    return "" if is_whole(value) else f"split_seed {shown(value)} is not a whole number in [0, 2^63)"


def _wrong_ratios(value: Any) -> str:
    fits = isinstance(value, list) and all(is_whole(ratio, 0, 100) for ratio in value)
    if fits and (not value or (len(value) == len(SPLITS) and sum(value) == 100)):
        return ""
    return f"split_ratios {shown(value)} are not three whole percentages with sum 100"


def _wrong_counts(value: Any) -> str:
    if not isinstance(value, dict) or set(value) != set(SPLITS):
        return f"counts {shown(value)} are not one for each of {', '.join(SPLITS)}"
    for counts in value.values():
        if not isinstance(counts, dict) or not all(map(is_whole, counts.values())):
            return f"counts {shown(counts)} are not whole numbers by class"
    return ""


_WRONG: Mapping[str, Callable[[Any], str]] = {
    "region": wrong_region,
    "classes": wrong_classes,
    "size": wrong_size,
    "split_seed": _wrong_seed,
    "split_ratios": _wrong_ratios,
    "counts": _wrong_counts,
    "pack_id": wrong_id,
    "ordinal": _wrong_truth("ordinal"),
    "split_given": _wrong_truth("split_given"),
}
"""For each field of a PackInfo a function that says what is wrong, or nothing. `format_version` is checked before."""
