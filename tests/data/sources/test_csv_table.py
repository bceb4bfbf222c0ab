"""CSV tables as people export them, read into manifests."""

import codecs
import csv
import os
import unicodedata
from pathlib import Path

import pytest

from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.csv_table import read_csv
from skin_tune.data.sources.manifest import Manifest
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SourceError
from tests.data.lab import Lab


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def table(*files: Path, region: str = "acne", **options: object) -> Manifest:
    return read_csv(PrepareRequest(files, region, **options))  # type: ignore[arg-type]


def photos(folder: Path, *names: str) -> Path:
    """Empty files: while tables are read, photos are only looked for."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def reasons(manifest: Manifest) -> dict[str, str]:
    return {entry.source: entry.reason for entry in manifest.quarantined}


def labels(manifest: Manifest) -> dict[str, str]:
    (classes,) = manifest.classes.values()
    return {row.source: classes[row.label] for row in manifest.rows}


# What a table gives


def test_a_csv_gives_paths_labels_subjects_and_boxes(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b/c.jpg")
    file = write(
        tmp_path / "t.csv", "path,label,subject,left,top,right,bottom\na.jpg,2,kim,1,2.5,30,40\nb/c.jpg,0,lee,,,,\n"
    )
    manifest = table(file)
    assert manifest.classes["acne"] == ["0", "2"]
    a, b = manifest.rows
    assert (a.photo, a.source, a.label, a.subject, a.box, a.relative_box) == (
        tmp_path.resolve() / "a.jpg",
        "a.jpg",
        1,
        "kim",
        (1.0, 2.5, 30.0, 40.0),
        False,
    )
    assert (b.photo, b.label, b.subject, b.box) == (tmp_path.resolve() / "b/c.jpg", 0, "lee", None)
    assert not manifest.warnings
    assert manifest.notes == []


def test_whom_a_photo_shows_comes_with_it(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    file = write(
        tmp_path / "t.csv",
        "path,label,subject,Age,gender,skin_type,device,sex\na.jpg,0,k,55.0,F,III,cam,x\nb.jpg,1,l,55-60,,nan,,y\n",
    )
    manifest = table(file)
    assert [row.about for row in manifest.rows] == [
        {"age": 55.0, "gender": "F", "skin_type": "III", "device": "cam"},
        {},
    ]
    assert manifest.warnings == ["1 ages are no numbers, such as '55-60': taken for unknown"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949"])
def test_every_encoding_of_a_spreadsheet_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    photos(tmp_path, "왼쪽, 1.jpg", "b.jpg")
    lines = ["path,label,subject", '"왼쪽, 1.jpg",1,"김, 1"', "", "b.jpg, 0 ,이", ""]
    manifest = table(write(tmp_path / "t.csv", newline.join(lines), encoding))
    assert labels(manifest) == {"왼쪽, 1.jpg": "1", "b.jpg": "0"}
    assert [row.subject for row in manifest.rows] == ["김, 1", "이"]
    assert any("cp949" in note for note in manifest.notes) == (encoding == "cp949")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_every_delimiter_of_a_spreadsheet_is_read(tmp_path: Path, delimiter: str, first: str) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    rows = [["Path", " Label ", "SUBJECT"], ["a.jpg", "1", "k"], ["b.jpg", "2", "l"]]
    text = first.format(delimiter) + "\r\n".join(delimiter.join(row) for row in rows)
    manifest = table(write(tmp_path / "t.csv", text))
    assert labels(manifest) == {"a.jpg": "1", "b.jpg": "2"}
    assert [row.subject for row in manifest.rows] == ["k", "l"]


def test_a_decimal_comma_is_a_point_where_commas_part_no_cells(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    file = write(tmp_path / "t.csv", "path;label;left;top;right;bottom\na.jpg;1,5;1,5;2;30;40\nb.jpg;2;1;2;30;40\n")
    manifest = table(file)
    assert manifest.classes["acne"] == ["1.5", "2"]
    assert manifest.rows[0].box == (1.5, 2.0, 30.0, 40.0)


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    file = write(tmp_path / "t.csv", "Image_ID,dx,lesion,subject\na.jpg,0,g1,s1\nb.jpg,1,,s2\n")
    manifest = table(file, path_column="image_id", label_column="DX", subject_column="lesion")
    assert [row.subject for row in manifest.rows] == ["g1", "b.jpg"]
    assert manifest.warnings[0].startswith("1 images name no subject")


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("path,grade", {}, "no column 'label'; it has path, grade; --label-column names another"),
        ("file,label", {}, "no column 'path'; it has file, label; --path-column"),
        ("path,label", {"subject_column": "patient"}, "no column 'patient'; it has path, label; --subject-column"),
        ("", {}, "no column 'path'; it has none"),
        ("path,label,label", {}, "has 2 columns 'label' and 'label' for 'label'; rename one"),
        ("path,Label,LABEL", {}, "has 2 columns 'Label' and 'LABEL' for 'label'"),
        ("path,label,left,top", {}, "has left, top and not right, bottom: a box is left,top,right,bottom or x,y,w,h"),
    ],
)
def test_columns_that_are_missing_or_doubled_are_named(
    tmp_path: Path, header: str, options: dict[str, str], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        table(write(tmp_path / "t.csv", f"{header}\n" if header else ""), **options)


def test_of_two_columns_the_one_to_the_letter_is_meant(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    manifest = table(write(tmp_path / "t.csv", "path,Label,label,notes,notes\na.jpg,9,0,,\nb.jpg,9,1,,\n"))
    assert labels(manifest) == {"a.jpg": "0", "b.jpg": "1"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "is an Excel workbook; save it as 'CSV UTF-8'"),
        (b"path,label\n\xff\xfe\x81\n", "its text is not utf-8-sig or cp949; save it as UTF-8"),
        (codecs.BOM_UTF16_LE + b"p\0a", "its text is not utf-16"),
        (b'path,label\n"' + b"x" * 200_000, "is not a readable CSV: field larger than field limit"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        table(tmp_path / "t.csv")
    assert len(str(caught.value)) < 400


def test_several_csv_files_are_merged_each_beside_its_own_photos(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        photos(tmp_path / name, f"P{name}_1.jpg", f"P{name}_2.jpg")
        files.append(write(tmp_path / name / "t.csv", f"path,label\nP{name}_1.jpg,0\nP{name}_2.jpg,1\n"))
    manifest = table(*files, subject_pattern=r"^P([ab])_")
    assert [row.photo.parent.name for row in manifest.rows] == ["a", "a", "b", "b"]
    assert [row.subject for row in manifest.rows] == ["a", "a", "b", "b"]
    assert manifest.rows[0].source == f"{files[0]}:Pa_1.jpg"


# Grades and people


def test_rows_that_cannot_be_used_are_quarantined_one_by_one(tmp_path: Path) -> None:
    rows = [
        "good.jpg,1,kim,,,,",
        "/etc/passwd,1,kim,,,,",
        "n\0l.jpg,1,kim,,,,",
        ",1,kim,,,,",
        "nolabel.jpg,,kim,,,,",
        "nan.jpg,NaN,kim,,,,",
        "short.jpg",
        "halfbox.jpg,1,kim,1,2,3,",
        "nanbox.jpg,1,kim,nan,2,3,4",
        "wordbox.jpg,1,kim,a,b,c,d",
        "nobox.jpg,1,kim,nan,nan,nan,nan",
        "er.jpg,Er,kim,,,,",
        "seven.jpg,7,kim,,,,",
        "minus.jpg,-1,kim,,,,",
        "half.jpg,1.5,kim,,,,",
        "float.jpg,1.0,kim,,,,",
        "blank.jpg,0,kim,,,,,,,",
        "gone.jpg,0,kim,,,,",
        "long.jpg,0,kim,,,,,,,extra",
    ]
    photos(
        tmp_path, *(name for row in rows if (name := row.split(",")[0])[:1] not in ("", "/", "g") and "\0" not in name)
    )
    photos(tmp_path, "good.jpg")
    file = write(tmp_path / "t.csv", "path,label,subject,left,top,right,bottom\n" + "\n".join(rows))
    manifest = table(file, region="lip_dryness")
    assert labels(manifest) == {"good.jpg": "1", "float.jpg": "1", "blank.jpg": "0", "nobox.jpg": "1"}
    assert reasons(manifest) == {
        "/etc/passwd": "path leaves its root",
        "n\0l.jpg": "path leaves its root",
        "": "row has no path",
        "nolabel.jpg": "missing grade",
        "nan.jpg": "missing grade",
        "short.jpg": "missing grade",
        "halfbox.jpg": "box is not four numbers",
        "nanbox.jpg": "box is not four numbers",
        "wordbox.jpg": "box is not four numbers",
        "er.jpg": "grade out of range",
        "seven.jpg": "grade out of range",
        "minus.jpg": "grade out of range",
        "half.jpg": "grade out of range",
        "gone.jpg": "missing photo",
        "long.jpg": "row has more cells than the header",
    }
    assert manifest.read == len(rows)


def test_measurements_are_no_grades(tmp_path: Path) -> None:
    names = [f"{n}.jpg" for n in range(1001)]
    photos(tmp_path, *names)
    rows = "\n".join(f"{name},{n / 7}" for n, name in enumerate(names))
    with pytest.raises(SourceError, match=r"1001 different grades \(0, 0\.14"):
        table(write(tmp_path / "t.csv", f"path,label\n{rows}\n"))


@pytest.mark.parametrize("missing", ["", "nan", " NaN ", "None"])
def test_each_row_without_a_subject_is_its_own_person(tmp_path: Path, missing: str) -> None:
    photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    file = write(tmp_path / "t.csv", f"path,label,subject\na.jpg,0,{missing}\nb.jpg,1,{missing}\nc.jpg,1, kim \n")
    manifest = table(file)
    assert [row.subject for row in manifest.rows] == ["a.jpg", "b.jpg", "kim"]
    assert [warning[:26] for warning in manifest.warnings] == ["2 images name no subject: "]


# Boxes


@pytest.mark.parametrize("names", ["x,y,w,h", "x,y,width,height", "left,top,width,height", "X,Y,W,H"])
def test_a_corner_and_a_size_are_a_box(tmp_path: Path, names: str) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    manifest = table(write(tmp_path / "t.csv", f"path,label,{names}\na.jpg,0,10,20,30,40\nb.jpg,1,10,20,30,40\n"))
    assert [row.box for row in manifest.rows] == [(10.0, 20.0, 40.0, 60.0)] * 2
    assert any("taken for the left top corner, width and height" in note for note in manifest.notes)


@pytest.mark.parametrize("names", ["x1,y1,x2,y2", "xmin,ymin,xmax,ymax", "x_min,y_min,x_max,y_max"])
def test_edges_may_have_other_names(tmp_path: Path, names: str) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    manifest = table(write(tmp_path / "t.csv", f"path,label,{names}\na.jpg,0,10,20,30,40\nb.jpg,1,,,,\n"))
    assert [row.box for row in manifest.rows] == [(10.0, 20.0, 30.0, 40.0), None]


def test_edges_count_before_the_size_of_the_photo(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    header = "path,label,left,top,right,bottom,width,height"
    manifest = table(write(tmp_path / "t.csv", f"{header}\na.jpg,0,1,2,30,40,600,800\nb.jpg,1,1,2,30,40,600,800\n"))
    assert manifest.rows[0].box == (1.0, 2.0, 30.0, 40.0)
    assert manifest.notes == ["columns of t.csv that are not read: width, height"]


def test_boxes_between_0_and_1_are_shares_of_the_photo(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    file = write(tmp_path / "t.csv", "path,label,x,y,w,h\na.jpg,0,0.1,0.2,0.5,0.5\nb.jpg,1,0,0,1,1\n")
    manifest = table(file)
    assert [row.relative_box for row in manifest.rows] == [True, True]
    assert manifest.rows[0].box == pytest.approx((0.1, 0.2, 0.6, 0.7))
    assert any("shares of the photo" in note for note in manifest.notes)


def test_one_small_box_among_pixels_is_in_pixels(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    file = write(tmp_path / "t.csv", "path,label,left,top,right,bottom\na.jpg,0,0,0,1,1\nb.jpg,1,1,2,30,40\n")
    assert [row.relative_box for row in table(file).rows] == [False, False]


@pytest.mark.parametrize("header", ["bbox", "x_center", "cx", "x"])
def test_columns_that_look_like_a_box_and_are_not_read_are_told(tmp_path: Path, header: str) -> None:
    photos(tmp_path, "a.jpg", "b.jpg")
    manifest = table(write(tmp_path / "t.csv", f"path,label,subject,{header}\na.jpg,0,k,1\nb.jpg,1,l,1\n"))
    assert manifest.warnings[0].startswith(f"column {header} of t.csv is not read: a box is left,top,right,bottom")


# Splits


def test_a_column_split_is_read_in_any_of_its_words(tmp_path: Path) -> None:
    photos(tmp_path, *"abcd")
    file = write(tmp_path / "t.csv", "path,label,split\na,0,Train\nb,1,validation\nc,1,test\nd,0,\n")
    assert [row.split for row in table(file).rows] == ["train", "val", "test", ""]


def test_a_column_split_without_a_split_is_told_and_one_odd_word_refused(tmp_path: Path) -> None:
    photos(tmp_path, *"ab")
    folds = write(tmp_path / "folds.csv", "path,label,split\na,0,fold1\nb,1,fold2\n")
    manifest = table(folds)
    assert [row.split for row in manifest.rows] == ["", ""]
    assert "column split of folds.csv is not read: fold1, fold2 is none of train, val, test" in manifest.warnings
    with pytest.raises(SourceError, match="has split 'holdout', which is none of train, val, test"):
        table(write(tmp_path / "t.csv", "path,label,split\na,0,train\nb,1,holdout\n"))


# Photos


def test_a_csv_in_the_current_folder_may_be_a_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(tmp_path / "here", "a.jpg", "../b.jpg")
    write(tmp_path / "here" / "t.csv", "path,label\na.jpg,0\n../b.jpg,1\n")
    monkeypatch.chdir(tmp_path / "here")
    manifest = table(Path("t.csv"))
    assert [row.photo for row in manifest.rows] == [tmp_path.resolve() / "here" / "a.jpg"]
    (entry,) = manifest.quarantined
    assert (entry.source, entry.reason) == ("../b.jpg", "path leaves its root")
    assert "--images DIR allows photos below DIR" in entry.detail


@pytest.mark.parametrize(
    "path",
    [
        "a/b.jpg",
        r"a\b.jpg",
        " a/b.jpg ",
        "a/b",
        "b",
        "b.jpg",
        "../photos/a/b.jpg",
        "{photos}/a/b.jpg",
        r"C:\Users\kim\photos\a\b.jpg",
        "/mnt/other/photos/a/b.jpg",
    ],
)
def test_a_photo_is_found_below_the_folder_of_images(tmp_path: Path, path: str) -> None:
    root = photos(tmp_path / "photos", "a/b.jpg", "c/d.jpg")
    path = path.format(photos=root)
    manifest = table(write(tmp_path / "tables" / "t.csv", f"path,label\n{path},0\n"), classes=["0", "1"], images=root)
    assert [row.photo for row in manifest.rows] == [root.resolve() / "a/b.jpg"]


@pytest.mark.parametrize("path", ["ISIC_1", r"sub\ISIC_2.jpg", "sub/ISIC_2", "{here}/ISIC_1.jpg", "sub/../ISIC_1.jpg"])
def test_a_photo_is_found_beside_its_table(tmp_path: Path, path: str) -> None:
    photos(tmp_path, "ISIC_1.jpg", "sub/ISIC_2.jpg", "ISIC_1.txt")
    file = write(tmp_path / "t.csv", f"path,label\n{path.format(here=tmp_path)},0\n")
    assert len(table(file, classes=["0", "1"]).rows) == 1


@pytest.mark.parametrize(
    ("path", "reason", "detail"),
    [
        ("x.jpg", "missing photo", "looked for x.jpg in {photos} and {tables} and below {photos}"),
        ("a/x.jpg", "missing photo", "looked for x.jpg in {photos}/a and {tables}/a"),
        ("a/same", "more than one photo", "{photos}/a/same.jpg, {photos}/a/same.png"),
        ("twice.jpg", "more than one photo", "{photos}/a/twice.jpg, {photos}/b/twice.jpg"),
        ("b", "missing photo", "looked for b in "),
        ("../secret.jpg", "path leaves its root", "--images DIR"),
        ("/etc/passwd", "missing photo", "looked for "),
        ("out.jpg", "missing photo", "looked for "),
    ],
)
def test_a_photo_that_is_not_found_says_where_it_was_looked_for(
    tmp_path: Path, path: str, reason: str, detail: str
) -> None:
    root = photos(tmp_path / "photos", "a/same.jpg", "a/same.png", "a/twice.jpg", "b/twice.jpg", "../secret.jpg")
    (root / "b" / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    file = write(tmp_path / "tables" / "t.csv", f"path,label\n{path},0\n")
    (entry,) = table(file, classes=["0", "1"], images=root).quarantined
    assert entry.reason == reason
    assert detail.format(photos=root, tables=tmp_path / "tables") in entry.detail


def test_a_link_out_of_the_table_s_folder_is_refused(tmp_path: Path) -> None:
    photos(tmp_path, "secret.jpg", "here/b.jpg")
    (tmp_path / "here" / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    manifest = table(write(tmp_path / "here" / "t.csv", "path,label\na.jpg,0\nb.jpg,1\n"))
    assert reasons(manifest) == {"a.jpg": "path leaves its root"}


def test_korean_names_are_found_however_their_letters_are_kept(tmp_path: Path) -> None:
    photos(tmp_path, unicodedata.normalize("NFD", "이마.jpg"), "입술.jpg")
    text = f"path,label\n이마.jpg,0\n{unicodedata.normalize('NFD', '입술.jpg')},1\n"
    assert len(table(write(tmp_path / "t.csv", text)).rows) == 2


def test_names_longer_than_the_system_takes_are_missing(tmp_path: Path) -> None:
    assert reasons(table(write(tmp_path / "t.csv", f"path,label\n{'x' * 300},0\n"))) == {"x" * 300: "missing photo"}


def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="is not a file"):
        prepare(PrepareRequest([tmp_path / "t.csv"], "acne", format="csv"))


def test_the_longest_cell_is_read(tmp_path: Path) -> None:
    photos(tmp_path, "a.jpg")
    long = "n" * (csv.field_size_limit() - 1)
    assert labels(table(write(tmp_path / "t.csv", f'path,label,notes\na.jpg,0,"{long}"\n'))) == {"a.jpg": "0"}


def test_whom_photos_show_is_kept_in_the_pack(lab: Lab) -> None:
    rows = [(f"{n}.png", n % 2, n, "F" if n else "nan", 20 + n, n + 1) for n in range(6)]
    pack, _ = lab.packed(lab.table("path,label,subject,Gender,age,skin_type", rows))
    assert pack.about["gender"].tolist() == [None, "F", "F", "F", "F", "F"]
    assert pack.about["age"].tolist() == [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    assert pack.about["skin_type"].tolist() == ["1", "2", "3", "4", "5", "6"]
    assert pack.about["device"].tolist() == [None] * 6
