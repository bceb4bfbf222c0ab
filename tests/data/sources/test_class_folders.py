"""Class folders, tidy and untidy, read into manifests."""

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from skin_tune.data.sources.class_folders import read_folders
from skin_tune.data.sources.manifest import Manifest
from skin_tune.data.sources.request import PrepareRequest

Folders = Callable[..., Path]


def folders(*roots: Path, region: str = "acne", pattern: str | None = None, **options: object) -> Manifest:
    return read_folders(PrepareRequest(roots, region, subject_pattern=pattern, **options))  # type: ignore[arg-type]


def reasons(manifest: Manifest) -> dict[str, str]:
    return {entry.source: entry.reason for entry in manifest.quarantined}


def labels(manifest: Manifest) -> dict[str, str]:
    (classes,) = manifest.classes.values()
    return {row.source: classes[row.label] for row in manifest.rows}


def test_a_loop_of_links_harms_nothing(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1, "1": 1})
    (tmp_path / "0" / "loop.png").symlink_to(tmp_path / "0" / "loop.png")
    assert {"0/0-0.png", "1/1-0.png"} <= set(labels(folders(tmp_path)))


def test_a_folder_that_cannot_be_listed_is_quarantined(
    tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path, {"0": 1, "1": 1})
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("/1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    manifest = folders(tmp_path)
    assert [row.source for row in manifest.rows] == ["0/0-0.png"]
    assert reasons(manifest) == {str(tmp_path / "1"): "unreadable folder"}


def test_class_folders_of_several_roots_are_merged(tmp_path: Path, class_folders: Folders) -> None:
    a = class_folders(tmp_path / "a", {"0": 2, "1": 1}, "{n}.png")
    b = class_folders(tmp_path / "b", {"1": 1, "2": 1}, "{n}.png")
    manifest = folders(a, b)
    assert manifest.classes == {"acne": ["0", "1", "2"]}
    assert labels(manifest) == {
        f"{a}/0/0.png": "0",
        f"{a}/0/1.png": "0",
        f"{a}/1/0.png": "1",
        f"{b}/1/0.png": "1",
        f"{b}/2/0.png": "2",
    }
    assert len({row.subject for row in manifest.rows}) == 5, "equal names in two roots are not one person"


def test_class_folders_with_leading_zeros_are_numbers(tmp_path: Path, class_folders: Folders) -> None:
    manifest = folders(class_folders(tmp_path, {"00": 1, "01": 1, "10": 1}))
    assert manifest.classes["acne"] == ["0", "1", "10"]
    assert labels(manifest) == {"00/00-0.png": "0", "01/01-0.png": "1", "10/10-0.png": "10"}


def test_what_is_no_labelled_photo_is_counted(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1, "1": 1})
    for name in ("loose.png", "0/notes.txt", "0/.DS_Store", "0/._0-0.png", "1/Thumbs.db", "1/README"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    manifest = folders(tmp_path)
    assert labels(manifest) == {"0/0-0.png": "0", "1/1-0.png": "1"}
    assert reasons(manifest) == {"loose.png": "not in a class folder"}
    assert manifest.left_out == {"hidden": 2, ".txt file": 1, ".db file": 1, "suffixless file": 1}
    assert any("folder empty of" in warning and "holds no image" in warning for warning in manifest.warnings)


def test_upper_case_suffixes_and_photos_of_foreign_formats_are_listed(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    for name in ("a.JPG", "b.Jpeg", "c.PNG", "d.TIF", "e.HEIC", "f.gif"):
        (tmp_path / "0" / name).touch()
    assert len(folders(tmp_path).rows) == 6


def test_images_in_deeper_folders_belong_to_the_class_above(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"1": 1})
    class_folders(tmp_path / "1" / "visit2", {"0": 1})
    assert labels(folders(tmp_path)) == {"1/1-0.png": "1", "1/visit2/0/0-0.png": "1"}


def test_the_subject_and_view_come_from_aihub_names(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1}, "0042_03_R30.png")
    (row,) = folders(tmp_path).rows
    assert (row.subject, row.about) == ("0042", {"device": "03", "angle": "R30"})


def test_images_without_a_subject_stand_alone_with_a_warning(tmp_path: Path, class_folders: Folders) -> None:
    manifest = folders(class_folders(tmp_path, {"0": 2, "1": 1}))
    assert len({row.subject for row in manifest.rows}) == 3
    assert len(manifest.warnings) == 1
    assert manifest.warnings[0].startswith("3 images name no subject")
    assert "may leak" in manifest.warnings[0]


def test_a_subject_pattern_sees_the_path_below_the_root_however_many_roots(
    tmp_path: Path, class_folders: Folders
) -> None:
    a = class_folders(tmp_path / "P9" / "a", {"0": 1, "1": 1}, "P1-{cls}.png")
    b = class_folders(tmp_path / "P9" / "b", {"0": 1, "1": 1}, "P2-{cls}.png")
    manifest = folders(a, b, pattern=r"(P\d+)")
    assert {row.subject for row in manifest.rows} == {"P1", "P2"}
    assert not manifest.warnings


def test_an_image_that_the_subject_pattern_does_not_fit_is_quarantined(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1}, "P1.png")
    class_folders(tmp_path, {"1": 1}, "unknown.png")
    manifest = folders(tmp_path, pattern=r"(P\d+)")
    assert reasons(manifest) == {"1/unknown.png": "subject pattern does not match"}


def test_a_class_folder_outside_a_known_region_s_grades_is_quarantined(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1, "2": 1, "5": 1, "Er": 1, "-1": 1, "nan": 1})
    manifest = folders(tmp_path, region="lip_dryness")
    assert manifest.classes["lip_dryness"] == ["0", "1", "2", "3", "4"]
    assert labels(manifest) == {"0/0-0.png": "0", "2/2-0.png": "2"}
    assert sorted(reasons(manifest).values()) == [*["grade out of range"] * 3, "missing grade"]


def test_a_link_out_of_the_root_is_refused_and_one_within_is_kept(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 1, "1": 1})
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (root / "0" / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "0" / "within.png").symlink_to(root / "1" / "1-0.png")
    manifest = folders(root)
    assert reasons(manifest) == {"0/out.png": "path leaves its root"}
    assert "0/within.png" in labels(manifest)


def test_names_that_are_not_utf8_are_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    try:
        (tmp_path / "0" / os.fsdecode(b"\xbe\xf3\xb1\xbc.png")).touch()
    except OSError:
        pytest.skip("this file system takes valid UTF-8 names alone")
    (row,) = folders(tmp_path).rows
    assert row.source.encode() == rb"0/\udcbe\udcf3\udcb1\udcbc.png"
    assert row.photo.exists()


def test_a_class_folder_behind_a_link_is_a_class(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 1, "1": 1})
    class_folders(tmp_path / "elsewhere", {"x": 2})
    (root / "2").symlink_to(tmp_path / "elsewhere" / "x")
    manifest = folders(root)
    assert manifest.classes["acne"] == ["0", "1", "2"]
    assert len(manifest.rows) == 4
    assert not manifest.quarantined


def test_links_out_of_the_root_may_lead_into_the_folder_of_images(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 1, "1": 1})
    class_folders(tmp_path / "cache", {"x": 1})
    (root / "0" / "linked.png").symlink_to(tmp_path / "cache" / "x" / "x-0.png")
    (entry,) = folders(root).quarantined
    assert (entry.reason, "--images DIR" in entry.detail) == ("path leaves its root", True)
    assert "0/linked.png" in labels(folders(root, images=tmp_path / "cache"))


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Validation", "TEST")])
def test_folders_of_a_split_hold_class_folders(tmp_path: Path, class_folders: Folders, names: Sequence[str]) -> None:
    for name in names:
        class_folders(tmp_path / name, {"0": 1, "1": 1}, f"{{cls}}-{name}.png")
    manifest = folders(tmp_path)
    assert manifest.classes["acne"] == ["0", "1"]
    assert [(row.label, row.split) for row in manifest.rows if row.source.endswith("0-" + names[1] + ".png")] == [
        (0, "val")
    ]
    assert sorted(row.split for row in manifest.rows) == ["test", "test", "train", "train", "val", "val"]


def test_what_lies_beside_the_folders_of_a_split_is_quarantined(tmp_path: Path, class_folders: Folders) -> None:
    for name in ("train", "val"):
        class_folders(tmp_path / name, {"0": 1, "1": 1})
    class_folders(tmp_path / "extra", {"0": 1})
    Image.new("RGB", (9, 9)).save(tmp_path / "train" / "loose.png")
    assert reasons(folders(tmp_path)) == {
        "extra/0/0-0.png": "not in a class folder",
        "train/loose.png": "not in a class folder",
    }


def test_a_class_named_train_alone_is_a_class(tmp_path: Path, class_folders: Folders) -> None:
    assert folders(class_folders(tmp_path, {"train": 1, "car": 1})).classes["acne"] == ["car", "train"]


def test_classes_that_are_not_named_are_left_out(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path, {"none": 1, "mild": 1, "severe": 1, "unclear": 1, "None": 1})
    manifest = folders(root, classes=["none", "mild", "severe"])
    assert manifest.classes["acne"] == ["none", "mild", "severe"]
    assert reasons(manifest) == {"unclear/unclear-0.png": "class left out", "None/None-0.png": "missing grade"}
    assert not any("alphabet" in warning for warning in manifest.warnings)


def test_names_taken_apart_by_macos_are_those_of_the_list(tmp_path: Path, class_folders: Folders) -> None:
    apart = unicodedata.normalize("NFD", "약함")
    manifest = folders(class_folders(tmp_path, {"없음": 1, apart: 1}), classes=["없음", "약함"])
    assert sorted(labels(manifest).values()) == ["약함", "없음"]


@pytest.mark.parametrize(
    ("images", "nominal", "said"),
    [
        ({"none": 1, "mild": 1}, False, "order of the classes is that of the alphabet: mild, none"),
        ({"none": 1, "mild": 1}, True, ""),
        ({"-1": 1, "0": 1, "1": 1}, False, "1 grades below 0, such as -1, were taken for photos without a grade"),
        ({"None": 1, "Mild": 1, "Severe": 1}, True, "1 grades are 'None', taken for missing"),
    ],
)
def test_what_could_be_meant_otherwise_is_told(
    tmp_path: Path, class_folders: Folders, images: dict[str, int], nominal: bool, said: str
) -> None:
    warnings = folders(class_folders(tmp_path, images, "{cls}_01_F.png"), nominal=nominal).warnings
    assert any(said in warning for warning in warnings) == bool(said)
