"""Room on the disk for packs, known before the first photo is opened."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skin_tune.data.pack.layout.info import PackInfo
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.preparation.places import CropFile, places_of
from skin_tune.data.sources.manifest import Manifest, Row
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SourceError

_TEXT_BYTES = 512
"""Of a row's person, source and what is known of its photo, and the end of a pack: ample."""


def largest_info(region: str, manifest: Manifest, request: PrepareRequest) -> PackInfo:
    """Metadata of a region's pack, as long as they can become, before a photo has been opened."""
    rows = sum(row.region == region for row in manifest.rows)
    classes = manifest.classes[region]
    return PackInfo(
        region=region,
        classes=classes,
        size=request.size,
        split_seed=request.split_seed,
        split_ratios=[100, 100, 100],
        counts={name: dict.fromkeys(classes, rows) for name in SPLITS},
        pack_id="0" * 32,
        ordinal=not request.nominal,
    )


def needed_bytes(files: Mapping[str, CropFile], rows: Sequence[Row], size: int) -> list[int]:
    """Bytes of each pack and file of crops that will come of `files`, by region, and `rows`: at most."""
    places = places_of(rows, files)
    crops = Counter(place.file for place in set(places))
    needed = [pack_bytes(file.start, crops[number], size) for number, file in enumerate(dict.fromkeys(files.values()))]
    sharing = {file for file, regions in Counter(files.values()).items() if regions > 1}
    of_region = Counter(row.region for row in rows)
    return needed + [pack_bytes(file.start, of_region[region], 0) for region, file in files.items() if file in sharing]


def pack_bytes(start: int, rows: int, size: int) -> int:
    """Bytes of a pack of `rows` images of `size` pixels that begin at byte `start`: at most, but for endless names.

    A size of 0 is that of a pack whose images are elsewhere.
    """
    return start + (rows + 1) * (size * size * 3 + _TEXT_BYTES)


def check_space(folder: Path, packs: Iterable[int], size: int, remedy: str) -> None:
    """Raise SourceError where the disk of `folder` has no room for `packs` of so many bytes."""
    needed, disk = sum(packs), shutil.disk_usage(folder)
    if disk.total and needed > disk.free:  # a file system that does not tell has a total of 0
        raise SourceError(
            f"packs of {size} px need {_gigabytes(needed)}, and {_gigabytes(disk.free)} are free in {str(folder)!r}; "
            f"give a smaller --size, or {remedy}"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.3g} GB"
