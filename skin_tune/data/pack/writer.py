"""Writing a pack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skin_tune.data.pack.layout.around_images import complete_around, start_of_images
from skin_tune.data.pack.layout.info import METADATA_KEY, PackInfo, described_by
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.storage.files import Location, atomic_write
from skin_tune.storage.photo_columns import ABOUT


@dataclass(frozen=True)
class PackRows:
    """The columns of a pack beside its images, one entry a row."""

    label: npt.NDArray[np.int16]
    split: npt.NDArray[np.int8]
    """Index into SPLITS."""
    subject: Sequence[str]
    source: Sequence[str]
    about: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Columns of ABOUT; those left out, and empty words, become null."""


def images_start(info: PackInfo) -> int:
    """The byte of a pack's file at which its images begin: whole pages, enough for all that comes before them.

    Whoever does not know the counts of `info` yet gives the largest that there can be.
    """
    one_row = PackRows(np.zeros(1, np.int16), np.zeros(1, np.int8), [""], [""])
    return start_of_images(info.size, _columns(one_row), described_by(info))


def write_pack(path: Location, images: npt.NDArray[np.uint8], rows: PackRows, info: PackInfo) -> None:
    """Write `images` uint8 [N, size, size, 3] with their rows. Raises ValueError where those are not N."""
    if len(images) != len(rows.label):
        raise ValueError(f"there are {len(images)} images and {len(rows.label)} labels")
    start = images_start(info)
    with atomic_write(path) as temporary:
        with temporary.open("wb") as file:
            file.seek(start)
            file.write(np.ascontiguousarray(images).data)
        complete_pack(temporary, start, rows, info)


def complete_pack(path: Path, start: int, rows: PackRows, info: PackInfo) -> None:
    """Make a pack of a file that has its images, uint8 [N, size, size, 3], from byte `start` on."""
    shape = (len(rows.label), info.size, info.size, 3)
    complete_around(path, start, shape, _columns(rows), described_by(info))


def write_sharing_pack(path: Path, crop: npt.NDArray[np.int32], rows: PackRows, info: PackInfo) -> None:
    """Write a pack whose images are in the file `info.crops`; `crop` [N] says which of those each row has."""
    columns = {"crop": pa.array(crop, pa.int32()), **_columns(rows)}
    fields = [(name, column.type) for name, column in columns.items()]
    schema = pa.schema(fields, metadata={METADATA_KEY: described_by(info)})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as out:
        out.write_batch(pa.record_batch(list(columns.values()), schema=schema))


def _columns(rows: PackRows) -> dict[str, pa.Array]:
    return {
        "label": pa.array(rows.label, pa.int16()),
        "subject": pa.array(rows.subject, pa.string()),
        "split": pa.array([SPLITS[code] for code in rows.split], pa.string()),
        "source": pa.array(rows.source, pa.string()),
        **{name: described(rows.about.get(name), name, len(rows.label)) for name in ABOUT},
    }


def described(values: Sequence[Any] | None, name: str, rows: int) -> pa.Array:
    """One column of ABOUT: `values` [rows], all unknown if None. An empty word is unknown."""
    return pa.array(
        [None] * rows if values is None else [None if value == "" else value for value in values], ABOUT[name]
    )
