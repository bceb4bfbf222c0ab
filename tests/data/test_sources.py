"""Class folders and CSV tables, tidy and untidy, read into manifests."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from skin_tune.data.files import SubjectRule, files_under, inside
from skin_tune.data.manifest import Manifest, as_box, class_index, ordinal_classes
from skin_tune.data.sources import read_csv, read_folders
from skin_tune.errors import SourceError

Folders = Callable[..., Path]


def folders(*roots: Path, classes: list[str] | None = None, pattern: str | None = None) -> Manifest:
    return read_folders(roots, "acne", classes, SubjectRule.parse(pattern), lambda count: None)


def table(
    *files: Path, classes: list[str] | None = None, pattern: str | None = None, column: str | None = None
) -> Manifest:
    return read_csv(files, "acne", classes, SubjectRule.parse(pattern), column, lambda count: None)


def reasons(manifest: Manifest) -> dict[str, str]:
    return {entry.source: entry.reason for entry in manifest.quarantined}


def labels(manifest: Manifest) -> dict[str, str]:
    return {row.source: manifest.classes["acne"][row.label] for row in manifest.rows}


# Class names


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["10", "2", "0", "1"], [str(grade) for grade in range(11)]),
        (["00", "01", "02"], ["0", "1", "2"]),
        (["1.0", "10.0", "2.0"], [str(grade) for grade in range(1, 11)]),
        (["1", "3"], ["1", "2", "3"]),
        (["-1", "0", "1"], ["0", "1"]),
        (["nv", "akiec", "mel"], ["akiec", "mel", "nv"]),
        (["10", "2", "Er"], ["2", "10", "Er"]),
        (["2023", "999"], ["999", "2023"]),
        ([], ["0"]),
    ],
)
def test_classes_are_in_order_of_their_numbers_and_none_is_renumbered(names: list[str], classes: list[str]) -> None:
    assert ordinal_classes(names) == classes


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("2", 2),
        ("02", 2),
        ("2.0", 2),
        ("2.5", None),
        ("-1", None),
        ("7", None),
        ("nan", None),
        ("inf", None),
        ("Er", None),
    ],
)
def test_a_grade_is_found_however_its_number_is_written(name: str, index: int | None) -> None:
    assert class_index(name, ["0", "1", "2"]) == index


def test_a_class_named_none_is_no_home_for_other_names() -> None:
    assert class_index("Er", ["None", "mild"]) is None


# Boxes and paths


@pytest.mark.parametrize(
    "edges",
    [
        None,
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        ["1", "2", "3", "4"],
        [1, 2, 3, None],
        [1, 2, 3, True],
        [float("nan"), 2, 3, 4],
        [1, 2, float("inf"), 4],
        [1, 2, 3, 10**400],
        {"left": 1},
        "1234",
    ],
)
def test_only_four_finite_numbers_are_a_box(edges: object) -> None:
    assert as_box(edges) is None


def test_a_box_may_be_fractional_and_leave_the_photo() -> None:
    assert as_box([-3, 0.5, 10, 20]) == (-3.0, 0.5, 10.0, 20.0)


@pytest.mark.parametrize("path", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "a\0b.jpg"])
def test_a_path_that_leaves_its_root_is_refused(tmp_path: Path, path: str) -> None:
    assert inside(tmp_path, path) is None


def test_a_path_that_comes_back_into_its_root_is_kept(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/../b.jpg") == tmp_path.resolve() / "b.jpg"


def test_a_loop_of_links_harms_nothing(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1, "1": 1})
    (tmp_path / "0" / "loop.png").symlink_to(tmp_path / "0" / "loop.png")
    assert {"0/0-0.png", "1/1-0.png"} <= set(labels(folders(tmp_path)))


def test_files_are_listed_by_name_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/x.png", ".DS_Store", "a/._x.png", ".git/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in files_under(tmp_path)] == ["a/x.png", "b/10.png", "b/2.png"]


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


# Subjects


@pytest.mark.parametrize(
    ("pattern", "path", "subject"),
    [
        (None, "3/0017_01_R15_01.jpg", "0017"),
        (None, "3/0017_02_F.jpg", "0017"),
        (None, "3/IMG_2041.jpg", None),
        (r"^([^_]+)_", "lesion7_a.jpg", "lesion7"),
        (r"P\d+", "0/P12-left.jpg", "P12"),
        (r"(?P<a>P\d+)-(left|right)", "0/P12-left.jpg", "P12"),
        (r"P(\d+)?", "0/P.jpg", None),
        (r"P(\d*)", "0/P.jpg", None),
        (r"Q", "0/P12.jpg", None),
    ],
)
def test_the_subject_is_the_first_group_or_the_whole_match(pattern: str | None, path: str, subject: str | None) -> None:
    assert SubjectRule.parse(pattern).subject(path) == subject


def test_an_invalid_subject_pattern_is_refused_with_its_text() -> None:
    with pytest.raises(SourceError, match=r"--subject-pattern '\(\[' is not a regular expression"):
        SubjectRule.parse("([")


# Class folders


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
    assert manifest.classes["acne"] == [str(grade) for grade in range(11)]
    assert labels(manifest) == {"00/00-0.png": "0", "01/01-0.png": "1", "10/10-0.png": "10"}


def test_stray_and_hidden_files_are_no_images(tmp_path: Path, class_folders: Folders) -> None:
    class_folders(tmp_path, {"0": 1, "1": 1})
    for name in ("loose.png", "0/notes.txt", "0/.DS_Store", "0/._0-0.png", "1/Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    manifest = folders(tmp_path)
    assert labels(manifest) == {"0/0-0.png": "0", "1/1-0.png": "1"}
    assert not manifest.quarantined


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
    class_folders(tmp_path, {"0": 1, "2": 1, "3": 1, "Er": 1, "-1": 1})
    manifest = folders(tmp_path, classes=["0", "1", "2"])
    assert manifest.classes["acne"] == ["0", "1", "2"]
    assert labels(manifest) == {"0/0-0.png": "0", "2/2-0.png": "2"}
    assert set(reasons(manifest).values()) == {"grade out of range"}
    assert len(reasons(manifest)) == 3


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


# CSV


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_gives_paths_labels_subjects_and_boxes(tmp_path: Path) -> None:
    file = write(
        tmp_path / "t.csv", "path,label,subject,left,top,right,bottom\na.jpg,2,kim,1,2.5,30,40\nb/c.jpg,0,lee,,,,\n"
    )
    manifest = table(file)
    assert manifest.classes["acne"] == ["0", "1", "2"]
    a, b = manifest.rows
    assert (a.photo, a.source, a.label, a.subject, a.box) == (
        tmp_path.resolve() / "a.jpg",
        "a.jpg",
        2,
        "kim",
        (1.0, 2.5, 30.0, 40.0),
    )
    assert (b.photo, b.label, b.subject, b.box) == (tmp_path.resolve() / "b/c.jpg", 0, "lee", None)
    assert not manifest.warnings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_marks_line_ends_quotes_and_blank_lines_do_not_matter(
    tmp_path: Path, encoding: str, newline: str
) -> None:
    lines = ["path,label,subject", '"a, left.jpg",1,"kim, 1"', "", "b.jpg, 0 ,lee", ""]
    manifest = table(write(tmp_path / "t.csv", newline.join(lines), encoding))
    assert labels(manifest) == {"a, left.jpg": "1", "b.jpg": "0"}
    assert [row.subject for row in manifest.rows] == ["kim, 1", "lee"]


def test_a_csv_in_the_current_folder_may_be_a_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "t.csv", "path,label\na.jpg,0\n../b.jpg,1\n")
    monkeypatch.chdir(tmp_path)
    manifest = table(Path("t.csv"))
    assert [row.photo for row in manifest.rows] == [tmp_path.resolve() / "a.jpg"]
    assert reasons(manifest) == {"../b.jpg": "path leaves its root"}


def test_csv_rows_that_cannot_be_used_are_quarantined_one_by_one(tmp_path: Path) -> None:
    rows = [
        "good.jpg,1,kim,,,,",
        "/etc/passwd,1,kim,,,,",
        "n\0l.jpg,1,kim,,,,",
        "nolabel.jpg,,kim,,,,",
        "short.jpg",
        "halfbox.jpg,1,kim,1,2,3,",
        "nanbox.jpg,1,kim,nan,2,3,4",
        "wordbox.jpg,1,kim,a,b,c,d",
        "er.jpg,Er,kim,,,,",
        "seven.jpg,7,kim,,,,",
        "float.jpg,1.0,kim,,,,",
        "long.jpg,0,kim,,,,,,,extra",
    ]
    manifest = table(
        write(tmp_path / "t.csv", "path,label,subject,left,top,right,bottom\n" + "\n".join(rows)),
        classes=["0", "1", "2"],
    )
    assert labels(manifest) == {"good.jpg": "1", "float.jpg": "1", "long.jpg": "0"}
    assert reasons(manifest) == {
        "/etc/passwd": "path leaves its root",
        "n\0l.jpg": "path leaves its root",
        "nolabel.jpg": "row has no path or no label",
        "short.jpg": "row has no path or no label",
        "halfbox.jpg": "box is not four numbers",
        "nanbox.jpg": "box is not four numbers",
        "wordbox.jpg": "box is not four numbers",
        "er.jpg": "grade out of range",
        "seven.jpg": "grade out of range",
    }


@pytest.mark.parametrize(
    ("header", "column", "missing"),
    [
        ("path,grade", None, "label"),
        ("file,label", None, "path"),
        ("path,label", "patient", "patient"),
        ("", None, "path"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(
    tmp_path: Path, header: str, column: str | None, missing: str
) -> None:
    file = write(tmp_path / "t.csv", f"{header}\n" if header else "")
    with pytest.raises(SourceError, match=f"no column '{missing}'; it has {header.replace(',', ', ') or 'none'}"):
        table(file, column=column)


def test_the_subject_column_may_have_another_name(tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", "path,label,group,subject\na.jpg,0,g1,s1\nb.jpg,1,,s2\n")
    manifest = table(file, column="group")
    assert [row.subject for row in manifest.rows] == ["g1", "b.jpg"]
    assert manifest.warnings[0].startswith("1 images name no subject")


def test_several_csv_files_are_merged_each_beside_its_own_photos(tmp_path: Path) -> None:
    files: Sequence[Path] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files = [*files, write(tmp_path / name / "t.csv", f"path,label\nP{name}_1.jpg,0\nP{name}_2.jpg,1\n")]
    manifest = table(*files, pattern=r"^P([ab])_")
    assert [row.photo.parent.name for row in manifest.rows] == ["a", "a", "b", "b"]
    assert [row.subject for row in manifest.rows] == ["a", "a", "b", "b"]
    assert manifest.rows[0].source == f"{files[0]}:Pa_1.jpg"
