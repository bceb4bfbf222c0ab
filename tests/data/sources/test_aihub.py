"""The AI-Hub tree: real label files, both layouts, and every oddity that a tree of 112,905 files can hold."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.sources.files import PHOTO_NAME
from skin_tune.regions import CATALOGUE
from tests.data.sources.aihub_tree import AddLabel, add_photo, found, read, refused

# What a tree should give


def test_all_eight_regions_are_read_from_one_face(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    for part, grades in {
        1: {"forehead_wrinkle": 6, "forehead_pigmentation": 5},
        2: {"glabellus_wrinkle": 4},
        3: {"l_perocular_wrinkle": 3},
        4: {"r_perocular_wrinkle": 2},
        5: {"l_cheek_pigmentation": 1, "l_cheek_pore": 0},
        6: {"r_cheek_pigmentation": 5, "r_cheek_pore": 4},
        7: {"lip_dryness": 4},
        8: {"chin_sagging": 6},
    }.items():
        add_label(tmp_path, "0007_01_F", part, grades, [part, 20, 110, 120])
    manifest = read(tmp_path)
    assert found(manifest) == [
        ("cheek_pigmentation", "0007_01_F_05.json#l_cheek_pigmentation", 1, False),
        ("cheek_pigmentation", "0007_01_F_06.json#r_cheek_pigmentation", 5, True),
        ("cheek_pore", "0007_01_F_05.json#l_cheek_pore", 0, False),
        ("cheek_pore", "0007_01_F_06.json#r_cheek_pore", 4, True),
        ("chin_sagging", "0007_01_F_08.json#chin_sagging", 6, False),
        ("forehead_pigmentation", "0007_01_F_01.json#forehead_pigmentation", 5, False),
        ("forehead_wrinkle", "0007_01_F_01.json#forehead_wrinkle", 6, False),
        ("glabellus_wrinkle", "0007_01_F_02.json#glabellus_wrinkle", 4, False),
        ("lip_dryness", "0007_01_F_07.json#lip_dryness", 4, False),
        ("perocular_wrinkle", "0007_01_F_03.json#l_perocular_wrinkle", 3, False),
        ("perocular_wrinkle", "0007_01_F_04.json#r_perocular_wrinkle", 2, True),
    ]
    row = next(row for row in manifest.rows if row.region == "chin_sagging")
    assert (row.subject, row.about["device"], row.about["angle"], row.box) == (
        "0007",
        "01",
        "F",
        (8.0, 20.0, 110.0, 120.0),
    )
    assert manifest.classes == {
        name: [str(grade) for grade in range(region.classes)] for name, region in CATALOGUE.items()
    }
    assert not manifest.quarantined
    assert not manifest.not_visible


def test_the_real_label_files_give_their_grades_and_boxes(real_data: Path, tmp_path: Path) -> None:
    for name in ("0001_01_F_03.json", "0001_01_R15_01.json"):
        (tmp_path / "label").mkdir(exist_ok=True)
        shutil.copyfile(real_data / name, tmp_path / "label" / name)
    add_photo(tmp_path / "img", "0001_01_F.jpg")
    add_photo(tmp_path / "img", "0001_01_R15.jpg")
    manifest = read(tmp_path)
    rows = {row.region: row for row in manifest.rows}
    assert set(rows) == {"perocular_wrinkle", "forehead_wrinkle", "forehead_pigmentation"}
    eye, forehead = rows["perocular_wrinkle"], rows["forehead_wrinkle"]
    assert (eye.label, eye.box, eye.mirrored, eye.about["angle"]) == (3, (191, 1432, 411, 1817), False, "F")
    assert (forehead.label, forehead.box, forehead.about["angle"]) == (3, (712, 676, 1835, 1139), "R15")
    assert rows["forehead_pigmentation"].label == 1
    assert {row.subject for row in manifest.rows} == {"0001"}
    assert not manifest.quarantined


def test_every_real_photo_name_is_understood(real_data: Path) -> None:
    with (real_data / "nia_gt_labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            match = PHOTO_NAME.fullmatch(row["image"])
            assert match, row["image"]
            assert (match["subject"], match["device"], match["angle"]) == (row["subject"], row["device"], row["angle"])


@pytest.mark.parametrize(
    ("labels", "photos"),
    [
        ("01/0007", "01/0007"),
        ("label/digital camera/0007", "image/digital camera/0007"),
        ("dataset/label/01/0007", "dataset/img/01/0007"),
    ],
)
def test_both_layouts_are_read(tmp_path: Path, add_label: AddLabel, labels: str, photos: str) -> None:
    add_label(tmp_path / labels, "0007_02_L", 7, {"lip_dryness": 2})
    photo = add_photo(tmp_path / photos, "0007_02_L.jpg")
    (row,) = read(tmp_path, regions="lip_dryness").rows
    assert row.photo == photo
    assert row.source == f"{labels}/0007_02_L_07.json#lip_dryness"
    assert (row.about["device"], row.about["angle"]) == ("02", "L")


def test_photos_may_lie_in_another_tree(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path / "labels" / "0007", "0007_01_F", 7, {"lip_dryness": 2})
    add_label(tmp_path / "more" / "0008", "0008_01_F", 7, {"lip_dryness": 1})
    photos = [add_photo(tmp_path / "photos", name) for name in ("0007_01_F.jpg", "0008_01_F.jpg")]
    manifest = read(tmp_path / "labels", tmp_path / "more", images=tmp_path / "photos", regions="lip_dryness")
    assert [row.photo for row in manifest.rows] == photos
    assert not manifest.quarantined


def test_two_sources_are_merged_and_the_same_name_in_each_is_two_photos(tmp_path: Path, add_label: AddLabel) -> None:
    for root, grade in (("a", 2), ("b", 3)):
        add_label(tmp_path / root, "0007_01_F", 7, {"lip_dryness": grade})
        add_photo(tmp_path / root, "0007_01_F.jpg")
    manifest = read(tmp_path / "a", tmp_path / "b", regions="lip_dryness")
    assert [(row.photo.parent.name, row.label, row.subject) for row in manifest.rows] == [
        ("a", 2, "0007"),
        ("b", 3, "0007"),
    ]
    assert len({row.source for row in manifest.rows}) == 2
    assert not manifest.quarantined


@pytest.mark.parametrize("name", ["0007_01_F.JPG", "0007_01_F.jpeg", "0007_01_F.png"])
def test_a_photo_is_found_under_another_suffix(tmp_path: Path, add_label: AddLabel, name: str) -> None:
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 2})
    photo = add_photo(tmp_path, name)
    assert [row.photo for row in read(tmp_path, regions="lip_dryness").rows] == [photo]


def test_the_very_name_goes_before_another_suffix(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 2})
    add_photo(tmp_path / "a_masks", "0007_01_F.png")
    photo = add_photo(tmp_path / "photos", "0007_01_F.jpg")
    assert [row.photo for row in read(tmp_path, regions="lip_dryness").rows] == [photo]


def test_label_files_in_upper_case_are_read_and_hidden_ones_are_not(tmp_path: Path, add_label: AddLabel) -> None:
    path = add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 2})
    path.rename(path.with_suffix(".JSON"))
    (tmp_path / "._0007_01_F_07.json").write_bytes(b"\0\5\x16\7")
    add_photo(tmp_path, "0007_01_F.jpg")
    manifest = read(tmp_path, regions="lip_dryness")
    assert len(manifest.rows) == 1
    assert not manifest.quarantined


def test_without_info_the_file_name_tells_photo_and_subject(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 2}, info=None)
    photo = add_photo(tmp_path, "0007_01_F.jpg")
    (row,) = read(tmp_path, regions="lip_dryness").rows
    assert (row.photo, row.subject) == (photo, "0007")


def test_labels_are_counted_as_they_are_read(tmp_path: Path, add_label: AddLabel) -> None:
    for subject in range(5):
        add_label(tmp_path, f"{subject:04d}_01_F", 7, {"lip_dryness": 2})
    seen: list[tuple[int, int]] = []
    read(tmp_path, on_label=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(1, 6)]


@pytest.mark.parametrize("filename", ["0008_01_F.jpg", "x" * 5000, ".", "\ud800.jpg", 7, ["0007_01_F.jpg"]])
def test_a_missing_photo_is_quarantined_once_for_each_region_it_had(
    tmp_path: Path, add_label: AddLabel, filename: Any
) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    grades = {"forehead_wrinkle": 1, "forehead_pigmentation": 2}
    add_label(tmp_path, "0007_01_F", 1, grades, info={"filename": filename, "id": "0007"})
    assert refused(read(tmp_path)) == [
        ("forehead_pigmentation", "0007_01_F_01.json", "missing photo"),
        ("forehead_wrinkle", "0007_01_F_01.json", "missing photo"),
    ]


def test_links_out_of_the_root_are_refused(tmp_path: Path, add_label: AddLabel) -> None:
    root = tmp_path / "root"
    outside = add_photo(tmp_path, "secret.jpg")
    label = add_label(tmp_path, "0008_01_F", 7, {"lip_dryness": 1})
    add_label(root, "0007_01_F", 7, {"lip_dryness": 1})
    (root / "0007_01_F.jpg").symlink_to(outside)
    (root / "0008_01_F_07.json").symlink_to(label)
    assert refused(read(root)) == [
        ("", "0008_01_F_07.json", "path leaves its root"),
        ("lip_dryness", "0007_01_F_07.json", "path leaves its root"),
    ]


def test_a_link_within_the_root_is_followed(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path, "0007_01_F", 7, {"lip_dryness": 1})
    (tmp_path / "0007_01_F.jpg").symlink_to(add_photo(tmp_path / "originals", "x.jpg"))
    assert len(read(tmp_path).rows) == 1


def test_linked_trees_of_labels_and_photos_are_read(tmp_path: Path, add_label: AddLabel) -> None:
    add_label(tmp_path / "elsewhere" / "label", "0007_01_F", 7, {"lip_dryness": 1})
    add_photo(tmp_path / "elsewhere" / "img", "0007_01_F.jpg")
    (tmp_path / "tree").mkdir()
    for name in ("label", "img"):
        (tmp_path / "tree" / name).symlink_to(tmp_path / "elsewhere" / name)
    manifest = read(tmp_path / "tree", regions="lip_dryness")
    assert len(manifest.rows) == 1
    assert not manifest.quarantined


def test_what_is_no_label_and_no_photo_of_a_label_is_counted(tmp_path: Path, add_label: AddLabel) -> None:
    add_photo(tmp_path, "0007_01_F.jpg")
    add_photo(tmp_path, "0008_01_F.jpg")
    for part in (0, 1, 7):
        add_label(tmp_path, "0007_01_F", part, {"lip_dryness": 1})
    add_label(tmp_path / "copy", "0007_01_F", 7, {"lip_dryness": 1})
    for name in ("notes.txt", ".DS_Store"):
        (tmp_path / name).touch()
    manifest = read(tmp_path, regions="lip_dryness")
    assert len(manifest.rows) == 1
    assert manifest.left_out == {
        "label of another face part": 2,
        "label that repeats another": 1,
        "photo without a label": 1,
        ".txt file": 1,
        "hidden": 1,
    }
    assert manifest.read == 4


def test_of_photos_with_one_name_the_nearest_to_the_label_is_meant(tmp_path: Path, add_label: AddLabel) -> None:
    for clinic in ("a", "b"):
        add_photo(tmp_path / clinic / "img", "0007_01_F.jpg").write_text(clinic)
        add_label(tmp_path / clinic / "label", "0007_01_F", 7, {"lip_dryness": 1})
    assert [row.photo.parts[-3] for row in read(tmp_path, regions="lip_dryness").rows] == ["a", "b"]


def test_photos_with_one_name_and_other_bytes_are_not_told_apart(tmp_path: Path, add_label: AddLabel) -> None:
    for folder in ("img", "new"):
        add_photo(tmp_path / folder, "0007_01_F.jpg").write_text(folder)
        add_photo(tmp_path / folder, "0008_01_F.jpg")
    for subject in ("0007", "0008"):
        add_label(tmp_path / "label", f"{subject}_01_F", 7, {"lip_dryness": 1})
    manifest = read(tmp_path, regions="lip_dryness")
    assert refused(manifest) == [("lip_dryness", "label/0007_01_F_07.json", "more than one photo")]
    assert [row.subject for row in manifest.rows] == ["0008"]
