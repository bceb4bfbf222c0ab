"""Boxes as tables give them: four edges, or a corner and a size; in pixels, or in shares of the photo."""

from collections.abc import Sequence
from dataclasses import dataclass

from skin_tune.data.sources.classes import is_missing
from skin_tune.data.sources.manifest import Box, as_box
from skin_tune.data.sources.table_file import Table
from skin_tune.errors import SourceError
from skin_tune.text.grades import number_of

_EDGES = (
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
)
_CORNER_AND_SIZE = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_NOT_READ = ("bbox", "box", "x", "y", "x_center", "y_center", "cx", "cy")


class BadBoxError(Exception):
    """Cells that should be a box and are not."""


@dataclass(frozen=True)
class BoxColumns:
    """The four columns of a table that give boxes."""

    table: Table
    names: tuple[str, ...]
    places: tuple[int, ...]
    is_size: bool
    """The last two are a width and a height, not an edge."""

    def box(self, cells: Sequence[str]) -> Box | None:
        """The box of a row, None where it has none. Raises BadBoxError for anything but four finite numbers."""
        words = [cells[place] for place in self.places]
        if all(map(is_missing, words)):
            return None
        box = as_box([number_of(self.table.number_text(word)) for word in words])
        if box is None:
            raise BadBoxError(", ".join(words)[:80])
        left, top, third, fourth = box
        return (left, top, left + third, top + fourth) if self.is_size else box


def box_columns(table: Table) -> BoxColumns | None:
    """The columns of a table that give boxes; None if it has none. Raises SourceError where it has some of four."""
    for is_size, kinds in ((False, _EDGES), (True, _CORNER_AND_SIZE)):
        for names in kinds:
            places = [place for name in names if (place := table.find(name)) is not None]
            if len(places) == 4:
                return BoxColumns(table, names, tuple(places), is_size)
    for names in _EDGES:
        there = [name for name in names if table.find(name) is not None]
        if there:
            missing = ", ".join(name for name in names if name not in there)
            raise SourceError(
                f"{str(table.file)!r} has {', '.join(there)} and not {missing}: "
                "a box is left,top,right,bottom or x,y,w,h in pixels or in shares of the photo"
            )
    return None


def unread_box_columns(table: Table) -> list[str]:
    """Columns that look like boxes, of a table whose boxes are not read from them."""
    return [name for name in _NOT_READ if table.find(name) is not None]


def are_shares(boxes: Sequence[Box]) -> bool:
    """Whether all boxes of a table are shares of the photo, from 0 to 1, rather than pixels."""
    return bool(boxes) and all(-0.001 <= edge <= 1.001 for box in boxes for edge in box)
