"""Each crop has a place in its file: rows of one crop share theirs where regions share the file."""

from collections.abc import Sequence
from pathlib import Path

from skin_tune.data.preparation.places import CropFile, Place, files_in_photo_order, places_of
from skin_tune.data.preparation.sharing import sharing_regions
from skin_tune.data.sources.manifest import Box, Row

BOX, OTHER = (0.0, 0.0, 9.0, 9.0), (1.0, 0.0, 9.0, 9.0)
OWN, SHARED = CropFile(Path("own")), CropFile(Path("shared"))


def row(region: str, photo: str = "0", box: Box = BOX, *, mirrored: bool = False, relative: bool = False) -> Row:
    return Row(region, Path(photo), photo, 0, "s", box, mirrored, relative_box=relative)


def numbers(places: Sequence[Place], file: int) -> list[int]:
    return [place.number for place in places if place.file == file]


def test_regions_are_together_where_a_crop_links_them():
    assert sharing_regions([row("a"), row("c"), row("b", "1"), row("a", "1"), row("d", "2")], ["a", "b", "c", "d"]) == [
        ["a", "b", "c"],
        ["d"],
    ]
    assert sharing_regions([], ["b", "a"]) == [["b"], ["a"]]


def test_a_crop_is_the_same_where_photo_box_and_side_are():
    for other in (row("b", "1"), row("b", box=OTHER), row("b", mirrored=True), row("b", relative=True)):
        assert sharing_regions([row("a"), other], ["a", "b"]) == [["a"], ["b"]]


def test_rows_of_a_region_by_itself_have_a_place_each():
    places = places_of([row("a"), row("b"), row("a"), row("a", "1")], {"a": OWN, "b": CropFile(Path("b"))})
    assert (numbers(places, 0), numbers(places, 1)) == ([0, 1, 2], [0])


def test_rows_of_regions_that_share_a_file_have_a_place_for_each_crop():
    rows = [row("a"), row("a", "1"), row("b"), row("b", "2"), row("a", "2"), row("own"), row("b", "1", OTHER)]
    places = places_of(rows, {"a": SHARED, "own": OWN, "b": SHARED})
    assert numbers(places, 0) == [0, 1, 0, 2, 2, 3]
    assert numbers(places, 1) == [0]


def test_a_file_is_in_the_order_of_the_photos_where_its_places_are():
    photos = [Path("0"), Path("1"), Path("2")]
    rows = [row("a"), row("b"), row("a", "2"), row("b", "1"), row("own", "1"), row("own", "2")]
    files = {"a": SHARED, "b": SHARED, "own": OWN}
    assert files_in_photo_order(rows, places_of(rows, files), photos) == {1}  # photo 1 comes after 2 in the shared one
    rows[2], rows[3] = rows[3], rows[2]
    assert files_in_photo_order(rows, places_of(rows, files), photos) == {0, 1}
    backwards = [row("a"), row("a", "1"), row("b", "1"), row("b")]  # where they have been before
    assert files_in_photo_order(backwards, places_of(backwards, files), photos) == {0}
