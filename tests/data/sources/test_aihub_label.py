"""What a label file says of its photo: grades, boxes and people, or why it cannot be used."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.data.sources.aihub_tree import AddLabel, add_photo, found, read, refused


@pytest.mark.parametrize(
    ("grades", "box"),
    [
        ({"l_cheek_pore": 2, "l_cheek_pigmentation": 1}, None),
        (None, [1, 2, 3, 4]),
        ({}, [1, 2, 3, 4]),
        ({"l_cheek_pore": None, "l_cheek_pigmentation": None}, [1, 2, 3, 4]),
        (None, None),
    ],
)
def test_a_part_that_is_not_seen_is_counted_and_not_quarantined(
    tmp_path: Path, add_label: AddLabel, grades: Any, box: Any
) -> None:
    add_label(tmp_path, "0007_01_L30", 5, grades, box)
    manifest = read(tmp_path)
    assert not manifest.rows
    assert not manifest.quarantined
    assert manifest.not_visible == {"cheek_pore": 1, "cheek_pigmentation": 1}


def test_one_grade_may_be_missing_beside_another(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 5, {"l_cheek_pore": 2, "l_cheek_pigmentation": None})
    manifest = read(tmp_path)
    assert [(row.region, row.label) for row in manifest.rows] == [("cheek_pore", 2)]
    assert manifest.not_visible == {"cheek_pigmentation": 1}


def test_measurements_and_the_whole_face_are_not_grades(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 0, {"acne": 1})
    add_label(tmp_path, "0007_01_F", 1, {"forehead_wrinkle": 2}, equipment={"forehead_pigmentation": 3})
    manifest = read(tmp_path)
    assert [(row.region, row.label) for row in manifest.rows] == [("forehead_wrinkle", 2)]
    assert not manifest.quarantined


def test_what_is_wrong_with_other_parts_is_no_concern_of_a_region(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 2})
    add_label(tmp_path, "0007_01_F", 8, {"chin_sagging": 99})
    add_label(tmp_path, "0009_01_F", 1, {"forehead_wrinkle": 1})
    manifest = read(tmp_path, regions="lip_dryness")
    assert len(manifest.rows) == 1
    assert not manifest.quarantined


def test_labels_that_say_the_same_count_once(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    for folder in ("a", "b"):
        add_label(tmp_path / folder, "0007_01_F", 7, {"lip_dryness": 2})
    manifest = read(tmp_path)
    assert found(manifest) == [("lip_dryness", "a/0007_01_F_07.json#lip_dryness", 2, False)]
    assert not manifest.quarantined


def test_labels_that_disagree_about_one_photo_are_all_refused(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    for folder, grade in (("a", 2), ("b", 3), ("c", 2)):
        add_label(tmp_path / folder, "0007_01_F", 7, {"lip_dryness": grade})
    manifest = read(tmp_path)
    assert not manifest.rows
    assert [entry.reason for entry in manifest.quarantined] == ["same image with different grades"] * 3
    assert {entry.detail for entry in manifest.quarantined} == {"2, 3"}


def test_a_grade_that_is_nan_is_missing(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": float("nan")})
    assert refused(read(tmp_path)) == [("lip_dryness", "0007_01_F_07.json", "missing grade")]


@pytest.mark.parametrize("grade", [True, 2.5, "Er", "2", -1, 5, 7, 1e999, [2], {"a": 1}, 10**400])
def test_a_grade_that_is_none_is_quarantined(tmp_path: Path, add_label: AddLabel, grade: Any) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": grade})
    manifest = read(tmp_path)
    assert not manifest.rows
    assert refused(manifest) == [("lip_dryness", "0007_01_F_07.json", "grade out of range")]
    assert manifest.quarantined[0].detail.endswith("is not one of 0, 1, 2, 3, 4")
    assert len(manifest.quarantined[0].detail) < 120


def test_a_whole_number_written_as_a_fraction_is_a_grade(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 3.0})
    assert [row.label for row in read(tmp_path).rows] == [3]


@pytest.mark.parametrize(
    "box",
    [
        [1, 2, 3],
        ["1", "2", "3", "4"],
        [1, 2, float("nan"), 4],
        [1, 2, 10**400, 4],
        "1 2 3 4",
        {},
        [True, 0, 5, 5],
        [[]] * 4,
    ],
)
def test_a_box_that_is_none_is_quarantined(tmp_path: Path, add_label: AddLabel, box: Any) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 3}, box)
    manifest = read(tmp_path)
    assert refused(manifest) == [("lip_dryness", "0007_01_F_07.json", "box is not four numbers")]


GOOD = {"info": {"filename": "0007_01_F.jpg", "id": "0007"}, "annotations": {"lip_dryness": 1}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b'{"info": "\xff\xfe"}',
        b"[" * 100_000,
        b'{"images": ' * 100_000,
        b'{"images": null}',
        b'{"images": []}',
        json.dumps(GOOD).encode(),
        json.dumps(GOOD | {"images": {"facepart": 7}}).encode(),
        json.dumps(GOOD | {"images": {"facepart": None, "bbox": [1, 2, 3, 4]}}).encode(),
        json.dumps(GOOD | {"images": {"facepart": "Er", "bbox": [1, 2, 3, 4]}}).encode(),
        json.dumps(GOOD | {"images": {"facepart": 1e999, "bbox": [1, 2, 3, 4]}}).encode(),
        json.dumps(GOOD | {"images": {"facepart": 7, "bbox": [1, 2, 3, 4]}, "annotations": "none"}).encode(),
        json.dumps(GOOD | {"images": {"facepart": 7, "bbox": [1, 2, 3, 4]}, "info": "none"}).encode(),
        b'{"images": {"facepart": 7, "bbox": [' + b"1" * 5000 + b",2,3,4]}}",
    ],
)
def test_bad_json_is_quarantined_for_every_region_and_the_rest_goes_on(
    tmp_path: Path, add_label: AddLabel, content: bytes
) -> None:
    (tmp_path / "0007_01_F_07.json").write_bytes(content)
    add_photo(tmp_path, "0008_01_F.jpg")
    add_label(tmp_path, "0008_01_F", 7, {"lip_dryness": 1})
    manifest = read(tmp_path)
    assert [row.subject for row in manifest.rows] == ["0008"]
    assert refused(manifest) == [("", "0007_01_F_07.json", "bad JSON")]
    assert len(manifest.quarantined[0].detail) <= 200


@pytest.mark.parametrize(
    "filename",
    ["../0007_01_F.jpg", "/etc/0007_01_F.jpg", "..", "a/0007_01_F.jpg", "..\\0007_01_F.jpg", "0007\0_01_F.jpg"],
)
def test_a_photo_name_that_is_a_path_is_refused(tmp_path: Path, add_label: AddLabel, filename: str) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_photo(tmp_path / "root" / "a", "0007_01_F.jpg")
    add_label(tmp_path / "root", "0007_01_F", 7, {"lip_dryness": 1}, info={"filename": filename, "id": "0007"})
    manifest = read(tmp_path / "root")
    assert refused(manifest) == [("lip_dryness", "0007_01_F_07.json", "path leaves its root")]


def test_a_label_that_cannot_be_opened_is_quarantined(tmp_path: Path, add_label: AddLabel) -> None:
    (tmp_path / "0007_01_F_07.json").symlink_to(tmp_path / "gone.json")
    assert refused(read(tmp_path)) == [("", "0007_01_F_07.json", "unreadable label file")]


def test_a_label_without_any_subject_is_quarantined(tmp_path: Path, add_label: AddLabel) -> None:
    path = add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 1}, info={"filename": "0007_01_F.jpg"})
    path.rename(tmp_path / "label.json")
    add_photo(tmp_path, "0007_01_F.jpg")
    assert refused(read(tmp_path)) == [("lip_dryness", "label.json", "no subject")]


def test_a_subject_that_is_no_valid_unicode_is_spelled_out(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 1}, info={"filename": "0007_01_F.jpg", "id": "\ud800"})
    add_photo(tmp_path, "0007_01_F.jpg")
    assert [row.subject for row in read(tmp_path).rows] == ["\\ud800"]


def test_age_gender_and_skin_type_come_with_the_photo(tmp_path: Path, add_label: AddLabel) -> None:
    people: tuple[dict[str, Any], ...] = (
        {"gender": "F", "age": 55, "skin_type": 3},
        {"gender": "", "age": "61", "skin_type": None},
        {"age": "unknown"},
    )
    for n, info in enumerate(people):
        add_photo(tmp_path, f"000{n}_02_F.jpg")
        add_label(tmp_path, f"000{n}_02_F", 7, {"lip_dryness": 1}, info={"id": f"000{n}", **info})
    view = {"device": "02", "angle": "F"}
    assert [row.about for row in read(tmp_path, regions="lip_dryness").rows] == [
        {**view, "gender": "F", "age": 55.0, "skin_type": "3"},
        {**view, "age": 61.0},
        {**view, "age": None},
    ]


def test_classes_may_leave_a_rare_grade_out(tmp_path: Path, add_label: AddLabel) -> None:
    for grade in range(5):
        add_photo(tmp_path, f"000{grade}_01_F.jpg")
        add_label(tmp_path, f"000{grade}_01_F", 7, {"lip_dryness": grade})
    manifest = read(tmp_path, regions="lip_dryness", classes=["1", "2", "3"])
    assert [(row.subject, row.label) for row in manifest.rows] == [("0001", 0), ("0002", 1), ("0003", 2)]
    assert [entry.reason for entry in manifest.quarantined] == ["class left out"] * 2


def test_a_pipe_among_label_files_is_quarantined(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0007_01_F_07.json")
    assert refused(read(tmp_path)) == [("", "0007_01_F_07.json", "not a regular file")]
