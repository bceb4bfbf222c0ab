"""The artificial AI-Hub tree: same layout as the real one, learnable, repeatable."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.synthetic import dataset as sample
from skin_tune.data.synthetic.dataset import GRADE_WEIGHTS, MIN_SUBJECTS, allocate, draw_sample, plan_subjects
from skin_tune.errors import SourceError
from skin_tune.regions import CATALOGUE

FOREHEAD_PHOTOS = (572, 5083, 3393, 2340, 1092, 819, 637)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "tree"
    draw_sample(out, subjects=MIN_SUBJECTS, seed=3)
    return out


@pytest.fixture(scope="module")
def labels(tree: Path) -> dict[Path, dict[str, Any]]:
    return {path: json.loads(path.read_text()) for path in sorted(tree.glob("label/*/*/*.json"))}


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    again = tmp_path / "again"
    draw_sample(again, subjects=MIN_SUBJECTS, seed=3)
    assert contents(again) == contents(tree)


def test_another_seed_gives_other_grades() -> None:
    assert plan_subjects(30, 0) != plan_subjects(30, 1)


def test_photos_and_labels_lie_where_the_real_set_has_them(tree: Path, labels: dict[Path, dict[str, Any]]) -> None:
    photos = {path.relative_to(tree / "img") for path in tree.glob("img/*/*/*.jpg")}
    assert len(photos) == MIN_SUBJECTS * len(sample.VIEWS)
    assert {path.parent.name for path in photos} == {f"{n:04d}" for n in range(1, MIN_SUBJECTS + 1)}
    for path, label in labels.items():
        device, subject, name = path.relative_to(tree / "label").parts
        stem, part = name.removesuffix(".json").rsplit("_", 1)
        angle = stem.removeprefix(f"{subject}_{device}_")
        assert label["info"]["filename"] == f"{stem}.jpg"
        assert path.relative_to(tree / "label").parent / f"{stem}.jpg" in photos
        assert label["info"]["id"] == subject
        assert label["images"]["device"] == int(device) - 1
        assert label["images"]["angle"] == sample.ANGLES[angle]
        assert label["images"]["facepart"] == int(part)


def test_labels_have_the_keys_of_the_real_set(labels: dict[Path, dict[str, Any]]) -> None:
    grades_of_part: dict[int, dict[str, int]] = defaultdict(dict)
    for region in CATALOGUE.values():
        for view in region.views:
            grades_of_part[view.facepart][view.key] = region.classes
    for label in labels.values():
        assert list(label) == ["info", "images", "annotations", "equipment"]
        assert list(label["info"]) == ["filename", "id", "gender", "age", "date", "skin_type", "sensitive"]
        assert list(label["images"]) == ["device", "width", "height", "angle", "facepart", "bbox"]
        classes = grades_of_part[label["images"]["facepart"]]
        assert set(label["annotations"]) == set(classes)
        assert all(0 <= grade < classes[key] for key, grade in label["annotations"].items())
        assert label["equipment"] is None or all(isinstance(v, float | str) for v in label["equipment"].values())


def test_boxes_lie_inside_photos_of_the_stated_size(tree: Path, labels: dict[Path, dict[str, Any]]) -> None:
    for path, label in labels.items():
        images = label["images"]
        photo = tree / "img" / path.relative_to(tree / "label").parent / label["info"]["filename"]
        with Image.open(photo) as opened:
            assert opened.size == (images["width"], images["height"])
        if images["bbox"] is not None:
            x1, y1, x2, y2 = images["bbox"]
            assert 0 <= x1 < x1 + 20 < x2 <= images["width"]
            assert 0 <= y1 < y1 + 20 < y2 <= images["height"]


def test_turned_views_miss_the_far_side_and_front_views_miss_nothing(labels: dict[Path, dict[str, Any]]) -> None:
    boxes: dict[str, dict[int, Any]] = defaultdict(dict)
    for label in labels.values():
        boxes[label["info"]["filename"]][label["images"]["facepart"]] = label["images"]["bbox"]
    absent: Counter[str] = Counter()
    for name, parts in boxes.items():
        angle = name.removesuffix(".jpg").split("_")[2]
        far = {"F": set(), "L": {3, 5}, "R": {4, 6}}[angle[0]]
        assert {part for part in range(1, 9) if parts.get(part) is None} == far
        absent["null box"] += sum(box is None for box in parts.values())
        absent["no file"] += 8 - len(parts)
    assert absent["null box"] > 0
    assert absent["no file"] > 0


def test_a_subject_has_one_grade_on_all_devices_and_angles(labels: dict[Path, dict[str, Any]]) -> None:
    seen: dict[tuple[str, str], set[int]] = defaultdict(set)
    for label in labels.values():
        for key, grade in label["annotations"].items():
            seen[label["info"]["id"], key].add(grade)
    assert len(seen) == MIN_SUBJECTS * 11
    assert all(len(grades) == 1 for grades in seen.values())


@pytest.mark.parametrize("count", [MIN_SUBJECTS, 30, 60, 200])
@pytest.mark.parametrize("region", CATALOGUE.values(), ids=lambda region: region.name)
def test_every_grade_has_three_subjects_of_that_grade_on_both_sides(count: int, region: Any) -> None:
    for seed in range(5):
        subjects = plan_subjects(count, seed)
        sides = [{s.grades[view.key] for view in region.views} for s in subjects]
        assert all(max(side) - min(side) <= 1 for side in sides)
        pure = Counter(side.pop() for side in sides if len(side) == 1)
        assert all(pure[grade] >= 3 for grade in range(region.classes))


def test_sides_differ_now_and_then() -> None:
    uneven = sum(s.grades["l_cheek_pore"] != s.grades["r_cheek_pore"] for s in plan_subjects(1000, 0))
    assert 50 < uneven < 150


def test_regions_are_graded_nearly_independently() -> None:
    grades = np.array([[s.grades[r.views[0].key] for r in CATALOGUE.values()] for s in plan_subjects(1000, 0)])
    correlation = np.corrcoef(grades, rowvar=False) - np.eye(len(CATALOGUE))
    assert np.abs(correlation).max() < 0.15


def test_weights_name_every_grade_of_every_region() -> None:
    assert {name: len(weights) for name, weights in GRADE_WEIGHTS.items()} == {
        region.name: region.classes for region in CATALOGUE.values()
    }


def test_forehead_wrinkles_are_shared_out_as_in_the_real_set() -> None:
    counts = allocate(1000, GRADE_WEIGHTS["forehead_wrinkle"])
    assert sum(counts) == 1000
    for count, photos in zip(counts, FOREHEAD_PHOTOS, strict=True):
        assert abs(count - 1000 * photos / sum(FOREHEAD_PHOTOS)) < 1


@pytest.mark.parametrize(
    ("count", "weights", "expected"),
    [
        (21, FOREHEAD_PHOTOS, [3] * 7),
        (10, (1, 1), [5, 5]),
        (12, (100, 1, 1), [6, 3, 3]),
        # Hamilton's method, by hand: quotas 5.0, 8.25, 11.75.
        (25, (20, 33, 47), [5, 8, 12]),
        # The last grade is held at 3; the other two share 27 as 2 : 1.
        (30, (60, 30, 1), [18, 9, 3]),
    ],
)
def test_allocation_gives_largest_remainders_above_a_floor(
    count: int, weights: tuple[int, ...], expected: list[int]
) -> None:
    assert allocate(count, weights) == expected


@pytest.mark.parametrize("subjects", [-1, 0, 5, MIN_SUBJECTS - 1])
def test_too_few_subjects_are_refused_and_nothing_is_left(tmp_path: Path, subjects: int) -> None:
    with pytest.raises(SourceError, match=f"^subjects={subjects} is fewer than 21: each of 7 grades needs 3 subjects$"):
        draw_sample(tmp_path / "out", subjects=subjects)
    assert list(tmp_path.iterdir()) == []


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="seed=-1"):
        draw_sample(tmp_path / "out", seed=-1)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(SourceError, match="already exists and is not empty; give a new folder"):
        draw_sample(tmp_path)
    with pytest.raises(SourceError, match="already exists"):
        draw_sample(tmp_path / "mine.txt")
    assert contents(tmp_path) == {"mine.txt": b"keep"}


def test_a_parent_that_is_a_file_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be written"):
        draw_sample(tmp_path / "file" / "out")


def test_an_interrupted_drawing_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_sample(tmp_path / "out", subjects=MIN_SUBJECTS, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_and_progress_counts_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_draw_subjects", lambda tree, subjects, seed, progress: (tree / "x").touch() or 7)
    (tmp_path / "out").mkdir()
    assert draw_sample(tmp_path / "out") == 7
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "x").exists()
