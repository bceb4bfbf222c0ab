"""Where each crop goes: in which file, and as which of the crops in it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skin_tune.data.preparation.sharing import Crop, crop_of
from skin_tune.data.sources.manifest import Row


@dataclass(frozen=True, slots=True)
class CropFile:
    """Where the crops of one region go, or of several: one after another, from a byte of a file on."""

    path: Path
    start: int = 0
    gapless: bool = True
    """A crop that cannot be cut leaves no place empty. Without it the n-th row has the n-th place."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a crop goes if none before it is refused: in which of the files, and as the how many-th."""

    file: int
    number: int


def places_of(rows: Sequence[Row], files: Mapping[str, CropFile]) -> list[Place]:
    """The place of each row if none is refused; `files` are by region.

    Rows have a place each, except that in a file of several regions all rows of one crop have one.
    """
    distinct = list(dict.fromkeys(files.values()))
    number_of = {region: distinct.index(file) for region, file in files.items()}
    shared = {number for number, regions in Counter(number_of.values()).items() if regions > 1}
    place_of_crop: dict[tuple[int, Crop], Place] = {}
    counts: Counter[int] = Counter()
    places = []
    for row in rows:
        file = number_of[row.region]
        place = Place(file, counts[file])
        if file in shared:
            place = place_of_crop.setdefault((file, crop_of(row)), place)
        if place.number == counts[file]:  # it is a new one
            counts[file] += 1
        places.append(place)
    return places


def files_in_photo_order(rows: Sequence[Row], places: Sequence[Place], photos: Sequence[Path]) -> set[int]:
    """The files whose places are in the order of `photos`."""
    rank = {photo: number for number, photo in enumerate(photos)}
    first = sorted({(place.file, place.number, rank[row.photo]) for row, place in zip(rows, places, strict=True)})
    last: defaultdict[int, int] = defaultdict(int)
    disordered = set()
    for file, _, of_photo in first:
        if of_photo < last[file]:
            disordered.add(file)
        last[file] = of_photo
    return set(last) - disordered
