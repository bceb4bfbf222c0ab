"""The manifest of a source: one row per labelled crop, and every row that cannot be used."""

import math
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.data.sources.files import UNREADABLE_FOLDER, storable

Box = tuple[float, float, float, float]

LEFT_OUT = "class left out"
"""The reason of rows whose class `--classes` does not name: they are no loss."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled crop. `label` indexes the region's classes; a box is (left, top, right, bottom) in pixels."""

    region: str
    photo: Path
    source: str
    label: int
    subject: str
    box: Box | None = None
    mirrored: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    """The photo's ABOUT columns."""
    split: str = ""
    """One of SPLITS where the source gives it."""
    relative_box: bool = False
    """The box is in shares of the upright photo's width and height, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row that cannot be used, and why. An empty `region` stands for every region asked for."""

    region: str
    source: str
    reason: str
    detail: str = ""


@dataclass
class Manifest:
    """The rows of a source for the requested regions."""

    classes: dict[str, list[str]]
    """Class names per region, in ordinal order where they have one."""
    rows: list[Row] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    read: int = 0
    """Label files, table rows or photos that were looked at."""
    not_visible: Counter[str] = field(default_factory=Counter)
    """Labels without a box or a grade, per region: normal in turned views, and no fault of the data."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of files that are no labelled photo, by kind: hidden files, notes, labels of other face parts."""
    notes: list[str] = field(default_factory=list)
    """How something was read that could have been meant otherwise."""
    warnings: list[str] = field(default_factory=list)

    def leave_out(self, path: Path, reason: str) -> None:
        """Count what `files_under` leaves out; a folder that cannot be listed may hide photos and is quarantined."""
        if reason == UNREADABLE_FOLDER:
            self.quarantined.append(Quarantined("", storable(str(path)), reason))
        else:
            self.left_out[reason] += 1


def as_box(edges: object) -> Box | None:
    """Four finite numbers as a box, anything else as None."""
    if not isinstance(edges, list | tuple) or len(edges) != 4:
        return None
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges):
        return None
    try:
        left, top, right, bottom = (float(edge) for edge in edges)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return (left, top, right, bottom) if all(map(math.isfinite, (left, top, right, bottom))) else None


def grade_out_of_range(region: str, source: str, grade: object, classes: Sequence[str]) -> Quarantined:
    return Quarantined(
        region, source, "grade out of range", f"{reprlib.repr(grade)} is not one of {', '.join(classes)}"
    )
