"""What a source holds: one row per labelled crop, and every row that cannot be used."""

import math
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.data.files import storable

Box = tuple[float, float, float, float]


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
    """What is known of the photo, by the columns of `pack.ABOUT`."""
    relative_box: bool = False
    """Whether `box` is in shares, 0 to 1, of the upright photo's width and height."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row that cannot be used, and why. An empty `region` stands for every region asked for."""

    region: str
    source: str
    reason: str
    detail: str = ""


@dataclass
class Manifest:
    """What a source holds for the regions asked for."""

    classes: dict[str, list[str]]
    """Class names in ordinal order, per region."""
    rows: list[Row] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    not_visible: Counter[str] = field(default_factory=Counter)
    """Labels without a box or a grade, per region: normal in turned views, and no fault of the data."""
    warnings: list[str] = field(default_factory=list)

    def unreadable_folder(self, error: OSError) -> None:
        """Quarantine a folder that cannot be listed."""
        self.quarantined.append(
            Quarantined("", storable(str(error.filename)), "unreadable folder", error.strerror or "")
        )


def ordinal_classes(names: Iterable[str]) -> list[str]:
    """Class names in order: whole numbers as numbers with no gap between lowest and highest, other names by alphabet.

    A grade that has no image keeps its place, so that the others keep their meaning. A number below 0 is no grade.
    """
    distinct = set(names)
    numbers = {name: whole_number(name) for name in distinct}
    if all(number is not None and number < 1000 for number in numbers.values()):
        grades = [number for number in numbers.values() if number is not None and number >= 0] or [0]
        return [str(grade) for grade in range(min(grades), max(grades) + 1)]
    return sorted(distinct, key=lambda name: (numbers[name] is None, numbers[name] or 0, name))


def whole_number(name: str) -> int | None:
    """The whole number that a class name stands for: 02 and 2.0 are the grade 2. None for any other name."""
    try:
        number = float(name)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


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


def class_index(name: str, classes: list[str]) -> int | None:
    """Where class `name` stands among `classes`; 02 and 2.0 are the grade 2. None if it is none of them."""
    number = whole_number(name)
    text = name if name in classes or number is None else str(number)
    return classes.index(text) if text in classes else None


def grade_out_of_range(region: str, source: str, grade: object, classes: list[str]) -> Quarantined:
    return Quarantined(
        region, source, "grade out of range", f"{reprlib.repr(grade)} is not one of {', '.join(classes)}"
    )
