"""Many photos cut at once: each opened once, each crop in its place, whoever cuts it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.preparation.crops import CutResult
from skin_tune.data.preparation.cutting import close_gaps, cut_all
from skin_tune.data.preparation.places import CropFile
from skin_tune.data.sources.manifest import Row
from skin_tune.errors import SourceError

Draw = Callable[..., Image.Image]
SIZE = 32
CORES = pytest.mark.parametrize("cores", [1, 2])


def rows_of(folder: Path, coordinates: Draw, photos: int) -> list[Row]:
    """Two regions of each photo, whose blue is its number."""
    rows = []
    for n in range(photos):
        path = folder / f"{n}.png"
        coordinates(48, 48, n).save(path)
        for region, box in (("a", (0, 0, 32, 32)), ("b", (8, 8, 40, 40))):
            rows.append(Row(region, path, f"{n}", 0, "s", box))
    return rows


def photos_in(file: Path, start: int = 0) -> list[int]:
    """The photos of the crops in a file, -1 where there is none."""
    crops = np.fromfile(file, np.uint8, offset=start).reshape(-1, SIZE, SIZE, 3)
    return [int(crop[0, 0, 2]) if crop.any() else -1 for crop in crops]


def use_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))


def cut(rows: list[Row], files: dict[str, CropFile]) -> list[CutResult]:
    return cut_all(rows, files, SIZE, lambda done, total: None)


def test_each_photo_is_opened_once_for_all_its_regions(
    tmp_path: Path, coordinates: Draw, opened_photos: list[Path]
) -> None:
    rows = rows_of(tmp_path, coordinates, 5)
    seen: list[tuple[int, int]] = []
    files = {name: CropFile(tmp_path / name) for name in ("a", "b")}
    results = cut_all(rows, files, SIZE, lambda done, total: seen.append((done, total)))
    assert len(opened_photos) == len(set(opened_photos)) == 5
    assert seen == [(n, 5) for n in range(1, 6)]
    assert [result.row for result in results] == list(range(10))


def test_many_processes_give_what_one_gives(tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(tmp_path, coordinates, 66)
    outcomes = []
    for cores in (1, 2):
        use_cores(cores, monkeypatch)
        files = {name: CropFile(tmp_path / f"{name}{cores}") for name in ("a", "b")}
        outcomes.append((cut(rows, files), files["a"].path.read_bytes(), files["b"].path.read_bytes()))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][1]) == 66 * SIZE * SIZE * 3


@CORES
def test_a_refused_crop_leaves_no_gap_between_those_before_and_after_it(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    use_cores(cores, monkeypatch)
    rows = rows_of(tmp_path, coordinates, 70)
    bad = (1, 7, 8, 40, 41, 69)
    for n in bad:
        rows[2 * n].photo.write_bytes(b"no image")
    rows[2 * 20] = replace(rows[2 * 20], box=(500, 500, 600, 600))  # of region a alone
    files = {"a": CropFile(tmp_path / "a", start=4096), "b": CropFile(tmp_path / "b")}
    results = cut(rows, files)
    good = [n for n in range(1, 70) if n not in bad]
    assert photos_in(tmp_path / "a", 4096)[1 : len(good)] == [n for n in good if n != 20]
    assert photos_in(tmp_path / "b")[1 : len(good) + 1] == good
    assert (tmp_path / "a").read_bytes()[:4096] == bytes(4096)
    places = [[result.place for result in results[region::2] if result.digest] for region in (0, 1)]
    assert places == [list(range(63)), list(range(64))]
    assert {result.place for result in results if not result.digest} == {-1}


@CORES
def test_each_row_has_its_own_place_where_gaps_are_left(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    use_cores(cores, monkeypatch)
    rows = rows_of(tmp_path, coordinates, 70)
    rows[2 * 9].photo.write_bytes(b"no image")
    cut(rows, {name: CropFile(tmp_path / name, gapless=False) for name in ("a", "b")})
    assert photos_in(tmp_path / "a") == [*range(9), -1, *range(10, 70)]


@CORES
def test_regions_of_one_file_have_a_crop_that_they_share_there_once(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    use_cores(cores, monkeypatch)
    rows = [row for row in rows_of(tmp_path, coordinates, 70) if row.region == "a" or int(row.source) % 7 == 0]
    rows += [replace(row, region="c") for row in rows if row.region == "a" and int(row.source) % 2]
    rows.sort(key=lambda row: int(row.source))
    bad = (1, 14, 40, 69)
    for n in bad:
        (tmp_path / f"{n}.png").write_bytes(b"no image")
    file = CropFile(tmp_path / "shared", start=4096)
    results = cut(rows, {"a": file, "b": CropFile(tmp_path / "b"), "c": file})
    good = [n for n in range(70) if n not in bad]
    assert photos_in(file.path, 4096) == good + [-1] * len(bad)
    assert len(photos_in(tmp_path / "b")) == 10
    for row, result in zip(rows, results, strict=True):
        if result.digest and row.region != "b":
            assert good[result.place] == int(row.source)


def test_rows_that_are_not_in_the_order_of_the_photos_keep_theirs(tmp_path: Path, coordinates: Draw) -> None:
    rows = rows_of(tmp_path, coordinates, 4)
    rows[2].photo.write_bytes(b"no image")  # photo 1
    order = [0, 2, 4, 6, 5, 3, 1, 7]  # region a forwards; region b: photos 2, 1, 0, 3
    results = cut([rows[place] for place in order], {name: CropFile(tmp_path / name) for name in ("a", "b")})
    assert photos_in(tmp_path / "a") == [0, 2, 3, -1]
    assert photos_in(tmp_path / "b") == [2, -1, 0, 3]
    kept = [result.place for result in results[4:] if result.digest]
    close_gaps(CropFile(tmp_path / "b"), kept, SIZE)
    assert photos_in(tmp_path / "b")[:3] == [2, 0, 3]


def test_only_what_comes_after_a_gap_is_moved(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(1, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    (tmp_path / "x").write_bytes(b"head" * 1024 + crops.tobytes())
    close_gaps(CropFile(tmp_path / "x", start=4096), [0, 1, 3, 5], SIZE)
    written = (tmp_path / "x").read_bytes()
    assert written[:4096] == b"head" * 1024
    assert written[4096:].startswith(crops[[0, 1, 3, 5]].tobytes())


class Poison(type(Path())):  # type: ignore[misc]
    """A path that ends the process that receives it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_a_killed_process_is_told_in_one_line(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(tmp_path, coordinates, 66)
    rows[70] = replace(rows[70], photo=Poison(rows[70].photo))
    use_cores(2, monkeypatch)
    with pytest.raises(SourceError, match="killed") as caught:
        cut(rows, {name: CropFile(tmp_path / name) for name in ("a", "b")})
    assert "\n" not in str(caught.value)


@CORES
def test_a_failure_while_a_photo_is_cut_ends_all_and_keeps_nobody_waiting(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    use_cores(cores, monkeypatch)
    rows = rows_of(tmp_path, coordinates, 100)
    rows[60] = replace(rows[60], box=[0, 0, 32, 32])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        cut(rows, {name: CropFile(tmp_path / name) for name in ("a", "b")})


class Elsewhere(type(Path())):  # type: ignore[misc]
    """A path that leads nowhere in another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path, ("/nowhere/at/all",)


def test_a_crop_that_cannot_be_written_ends_all(
    tmp_path: Path, coordinates: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cores(2, monkeypatch)
    rows = rows_of(tmp_path, coordinates, 100)
    with pytest.raises(FileNotFoundError, match="/nowhere/at/all"):
        cut(rows, {"a": CropFile(tmp_path / "a"), "b": CropFile(Elsewhere(tmp_path / "b"))})
