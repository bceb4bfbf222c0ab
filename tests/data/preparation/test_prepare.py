"""From a source to packs, through `prepare` and through the command line."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import skin_tune.data.preparation.pack_builder as packing
import skin_tune.data.preparation.prepare as prepare_module
from skin_tune.data.pack.format import open_pack
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SkinTuneError, SourceError
from skin_tune.regions import CATALOGUE

Draw = Callable[..., Image.Image]
Folders = Callable[..., Path]
AddLabel = Callable[..., Path]
Cli = Callable[..., tuple[int, str]]

KEYS = {
    1: ("forehead_wrinkle", "forehead_pigmentation"),
    2: ("glabellus_wrinkle",),
    3: ("l_perocular_wrinkle",),
    4: ("r_perocular_wrinkle",),
    5: ("l_cheek_pigmentation", "l_cheek_pore"),
    6: ("r_cheek_pigmentation", "r_cheek_pore"),
    7: ("lip_dryness",),
    8: ("chin_sagging",),
}


@pytest.fixture
def tree(tmp_path: Path, coordinates: Draw, add_label: AddLabel) -> Path:
    """21 subjects, a photo each; subject n has in every region the grade n modulo the region's classes."""
    root = tmp_path / "tree"
    classes = {view.key: region.classes for region in CATALOGUE.values() for view in region.views}
    for n in range(21):
        stem = f"{n:04d}_01_F"
        folder = root / "img" / "01" / f"{n:04d}"
        folder.mkdir(parents=True)
        coordinates(100, 120, n).save(folder / f"{stem}.jpg", "PNG")  # lossless, so that pixels can be told
        for part, keys in KEYS.items():
            grades = {key: n % classes[key] for key in keys}
            add_label(root / "label" / "01" / f"{n:04d}", stem, part, grades, [part, 20, part + 32, 52])
    return root


def lips(root: Path) -> Path:
    return root / "label" / "01"


def quarantine(pack: Path) -> list[dict[str, str]]:
    with pack.with_suffix(".quarantine.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# What a good source gives


def test_all_regions_come_of_one_tree_with_each_photo_opened_once(
    tree: Path, tmp_path: Path, opened_photos: list[Path]
) -> None:
    stages: dict[str, tuple[int, int | None]] = {}
    outcomes = prepare(
        PrepareRequest([tree], "all", size=32, out=tmp_path / "packs"),
        lambda stage, done, total: stages.update({stage: (done, total)}),
    )
    assert len(opened_photos) == len(set(opened_photos)) == 21
    assert [outcome.region for outcome in outcomes] == list(CATALOGUE)
    assert stages == {"files": (21 * 9, None), "labels": (21 * 8, 21 * 8), "photos": (21, 21)}
    assert files_in(tmp_path / "packs") == sorted(
        name for region in CATALOGUE for name in (f"{region}-32.arrow", f"{region}-32.quarantine.csv")
    )
    for outcome in outcomes:
        pack = open_pack(outcome.path)
        sides = len(CATALOGUE[outcome.region].views)
        assert len(pack.labels) == 21 * sides
        assert not outcome.quarantined
        assert not outcome.error
        for row in range(len(pack.labels)):
            subject = int(pack.subjects[row])
            assert pack.labels[row] == subject % len(pack.classes)
            part = int(pack.sources[row].split("#")[0][-7:-5])
            reds = np.arange(part, part + 32)
            if part in (4, 6):
                reds = reds[::-1]
            assert (pack.images[row, :, :, 0] == reds[None, :]).all()
            assert (pack.images[row, :, :, 1] == np.arange(20, 52)[:, None]).all()
            assert (pack.images[row, :, :, 2] == subject).all()


def test_the_pack_is_readable_with_plain_pyarrow(tree: Path, tmp_path: Path) -> None:
    (outcome,) = prepare(PrepareRequest([tree], "lip_dryness", size=32, out=tmp_path / "packs", split_seed=7))
    table = pa.ipc.open_file(pa.memory_map(str(tmp_path / "packs" / "lip_dryness-32.arrow"))).read_all()
    assert table.column_names == [
        "image",
        "label",
        "subject",
        "split",
        "source",
        "device",
        "angle",
        "age",
        "gender",
        "skin_type",
    ]
    assert table.schema.field("image").type == pa.fixed_shape_tensor(pa.uint8(), [32, 32, 3])
    assert table.schema.field("label").type == pa.int16()
    assert set(table.column("split").to_pylist()) == {"train", "val", "test"}
    assert set(table.column("device").to_pylist()) == {"01"}
    assert set(table.column("angle").to_pylist()) == {"F"}
    said = json.loads(table.schema.metadata[b"skin_tune"])
    assert (said["region"], said["classes"], said["size"]) == ("lip_dryness", ["0", "1", "2", "3", "4"], 32)
    assert (said["split_seed"], said["split_ratios"], said["format_version"]) == (7, [60, 20, 20], 2)
    rows = table.select(["label", "split", "subject"]).to_pylist()
    for part in ("train", "val", "test"):
        for grade in range(5):
            count = sum(row["split"] == part and row["label"] == grade for row in rows)
            assert said["counts"][part][str(grade)] == count > 0
    assert len({row["subject"] for row in rows}) == 21
    assert outcome.info is not None
    assert said["pack_id"] == outcome.info.pack_id


def test_the_same_data_give_the_same_pack_and_changed_data_another_id(tree: Path, tmp_path: Path) -> None:
    def pack_id(out: str, **options: Any) -> str:
        (outcome,) = prepare(PrepareRequest([tree], "lip_dryness", **({"size": 32} | options), out=tmp_path / out))
        assert outcome.info is not None
        return outcome.info.pack_id

    first = pack_id("a")
    assert pack_id("b") == first
    assert (tmp_path / "a/lip_dryness-32.arrow").read_bytes() == (tmp_path / "b/lip_dryness-32.arrow").read_bytes()
    assert len({first, pack_id("c", split_seed=1), pack_id("d", size=16), pack_id("e", split_ratios=(80, 20, 0))}) == 4
    path = tree / "img/01/0003/0003_01_F.jpg"
    with Image.open(path) as photo:
        changed = photo.convert("RGB")
    changed.putpixel((10, 30), (255, 255, 255))
    changed.save(path, "PNG")
    assert pack_id("f") != first


def test_class_folders_and_a_csv_of_the_same_images_give_the_same_crops(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 4, "1": 4}, "{cls}{n}_01_F.png")
    with (root / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows((f"{cls}/{cls}{n}_01_F.png", cls) for cls in (0, 1) for n in range(4))
    ids = []
    for source, source_format in ((root, None), (root, "folders"), (root / "t.csv", None)):
        (outcome,) = prepare(PrepareRequest([source], "acne", format=source_format, size=32, out=tmp_path / "packs"))
        assert outcome.info is not None
        ids.append(outcome.info.pack_id)
    assert len(set(ids)) == 1


def test_a_source_named_twice_is_read_once(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 2})
    (outcome,) = prepare(PrepareRequest([root, root / "0" / ".."], "acne", size=32, out=tmp_path / "packs"))
    assert len(open_pack(outcome.path).labels) == 4


def test_a_stray_json_file_does_not_make_class_folders_an_aihub_tree(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 2})
    (root / "0" / "about.json").write_text("{}")
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert len(open_pack(outcome.path).labels) == 4


def test_one_subject_alone_trains_and_the_empty_splits_are_told(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 3}, "0001_01_F.{cls}.{n}.png")
    request = PrepareRequest([root], "acne", size=32, out=tmp_path / "packs", subject_pattern=r"(\d{4})_")
    (outcome,) = prepare(request)
    assert outcome.info is not None
    assert outcome.info.counts == {
        "train": {"0": 2, "1": 3},
        "val": {"0": 0, "1": 0},
        "test": {"0": 0, "1": 0},
    }
    assert outcome.warnings == [
        "class 0, 1 has no val image: its val recall is undefined",
        "class 0, 1 has no test image: its test recall is undefined",
    ]


# Quarantine


def test_everything_that_cannot_be_used_is_in_the_quarantine_file_with_its_reason(
    tree: Path, tmp_path: Path, add_label: AddLabel, skin_tune: Cli
) -> None:
    photos, labels = tree / "img/01", tree / "label/01"
    (photos / "0000/0000_01_F.jpg").write_bytes(b"no image")
    whole = (photos / "0001/0001_01_F.jpg").read_bytes()
    (photos / "0001/0001_01_F.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "0002/0002_01_F.jpg").unlink()
    (labels / "0003/0003_01_F_07.json").write_bytes(b"{")
    add_label(labels / "0004", "0004_01_F", 7, {"lip_dryness": 4}, [500, 500, 600, 600])
    add_label(labels / "0005", "0005_01_F", 7, {"lip_dryness": 5})
    add_label(labels / "0006", "0006_01_F", 7, {"lip_dryness": 1}, info={"filename": "../x.jpg", "id": "0006"})
    add_label(labels / "0007", "0007_01_F", 7, {"lip_dryness": 2}, None)
    shutil.copyfile(photos / "0008/0008_01_F.jpg", photos / "0009/0009_01_F.jpg")  # grades 3 and 4
    code, printed = skin_tune("prepare", tree, "--region", "lip_dryness", "--size", 32, "--out", tmp_path / "packs")
    assert code == 0, printed
    pack = tmp_path / "packs" / "lip_dryness-32.arrow"
    reasons = {row["source"].split("/")[-1][:4]: row["reason"] for row in quarantine(pack)}
    assert reasons == {
        "0000": "unreadable image",
        "0001": "unreadable image",
        "0002": "missing photo",
        "0003": "bad JSON",
        "0004": "box outside the photo",
        "0005": "grade out of range",
        "0006": "path leaves its root",
        "0008": "same image with different grades",
        "0009": "same image with different grades",
    }
    assert "9 rows in quarantine" in printed
    for count in ("2 unreadable image", "2 same image with different grades", "1 missing photo", "1 bad JSON"):
        assert count in printed
    assert "1 label has no box or no grade" in printed
    assert "no subject is in two splits (11 subjects checked)" in printed
    opened = open_pack(pack)
    assert sorted(opened.subjects.tolist()) == [f"{n:04d}" for n in range(10, 21)]
    assert all((opened.images[row, :, :, 2] == int(opened.subjects[row])).all() for row in range(11))


def test_the_quarantine_file_holds_any_name(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 2})
    names = ["new\nline.png", 'quo"te,.png', "한글.png", os.fsdecode(b"\xbe\xf3.png")]
    for name in names:
        try:
            (root / "0" / name).write_bytes(b"no image")
        except OSError:
            names.remove(name)
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert len(quarantine(outcome.path)) == outcome.quarantined["unreadable image"] == len(names)
    assert {row["source"] for row in quarantine(outcome.path)} >= {"0/new\nline.png", '0/quo"te,.png', "0/한글.png"}


def test_a_csv_with_every_kind_of_bad_row_still_gives_its_good_rows(
    tmp_path: Path, class_folders: Folders, skin_tune: Cli
) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 2}, "{cls}{n}.png")
    rows = [
        "0/00.png,0",
        "0/01.png,0",
        "1/10.png,1",
        "1/11.png,1",
        "../x.png,0",
        "n\0l.png,1",
        "gone.png,0",
        "0/00.png",
    ]
    (root / "t.csv").write_bytes("\r\n".join(["path,label", *rows]).encode("utf-8-sig"))
    code, printed = skin_tune("prepare", root / "t.csv", "--region", "acne", "--size", 32, "--out", tmp_path / "packs")
    assert code == 0, printed
    assert "warning: 4 images name no subject" in printed
    reasons = [row["reason"] for row in quarantine(tmp_path / "packs" / "acne-32.arrow")]
    assert sorted(reasons) == [
        "missing grade",
        "missing photo",
        "path leaves its root",
        "path leaves its root",
    ]


def test_people_with_the_same_picture_are_one(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 12, "1": 3}, "{cls}{n}_01_F.png")
    for n in range(1, 6):
        shutil.copyfile(root / "0/00_01_F.png", root / f"0/0{n}_01_F.png")
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert "6 subjects share pictures and were joined into 1: see acne-32.joined.csv" in outcome.warnings
    pack = open_pack(outcome.path)
    same = [
        source
        for source in pack.sources.tolist()
        if source[:4] in {f"0/0{n}" for n in range(6)} and source[4:7] == "_01"
    ]
    assert len(same) == 6
    rows = np.isin(pack.sources, same)
    assert set(pack.subjects[rows].tolist()) == {"00"}
    assert len(set(pack.split[rows].tolist())) == 1
    with outcome.path.with_suffix(".joined.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"person": "00", "subject": f"0{n}", "source": f"0/0{n}_01_F.png"} for n in range(6)
        ]
    shutil.rmtree(root)
    class_folders(root, {"0": 12, "1": 3}, "{cls}{n}_01_F.png")
    prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert files_in(tmp_path / "packs") == ["acne-32.arrow", "acne-32.quarantine.csv"]


def test_pictures_of_one_colour_join_nobody(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / "root" / str(n % 2)).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (100 * (n % 2), 0, 0)).save(tmp_path / "root" / str(n % 2) / f"{n}_01_F.png")
    (outcome,) = prepare(PrepareRequest([tmp_path / "root"], "acne", size=32, out=tmp_path / "packs"))
    assert len(set(open_pack(outcome.path).subjects.tolist())) == 4


# Where it stops


def test_where_nothing_is_left_it_says_why_and_leaves_nothing(tree: Path, tmp_path: Path, skin_tune: Cli) -> None:
    shutil.rmtree(tree / "img")
    code, printed = skin_tune("prepare", tree, "--region", "chin_sagging", "--out", tmp_path / "new" / "packs")
    assert code == 2
    assert printed == (
        "error: chin_sagging: nothing is left to pack (21 missing photo, such as 'label/01/0000/0000_01_F_08.json': "
        f"looked for 0000_01_F.jpg below {tree}); --images names the folder that the photos are in\n"
    )
    assert not (tmp_path / "new").exists()


def test_where_no_photo_can_be_read_it_says_so(tree: Path, tmp_path: Path, skin_tune: Cli) -> None:
    for photo in (tree / "img").rglob("*.jpg"):
        photo.write_bytes(b"no image")
    code, printed = skin_tune("prepare", tree, "--region", "chin_sagging", "--size", 32, "--out", tmp_path / "packs")
    assert code == 2
    assert printed.startswith("error: chin_sagging: nothing is left to pack (21 unreadable image, such as ")
    assert printed.count("\n") == 1
    assert not (tmp_path / "packs").exists()


def test_a_class_without_an_image_is_named_and_the_other_regions_go_on(
    tree: Path, tmp_path: Path, skin_tune: Cli
) -> None:
    for n in (6, 13, 20):
        (lips(tree) / f"{n:04d}/{n:04d}_01_F_08.json").write_bytes(b"{")
    regions = "chin_sagging,lip_dryness"
    code, printed = skin_tune("prepare", tree, "--region", regions, "--size", 32, "--out", tmp_path / "packs")
    assert code == 2
    last = printed.splitlines()[-1]
    assert last.startswith("error: chin_sagging: class 6 has no training image")
    assert "3 bad JSON" in last
    assert files_in(tmp_path / "packs") == ["lip_dryness-32.arrow", "lip_dryness-32.quarantine.csv"]


def test_a_class_whose_only_image_is_broken_has_no_training_image(
    tmp_path: Path, class_folders: Folders, skin_tune: Cli
) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3, "2": 1})
    (root / "2/2-0.png").write_bytes(b"no image")
    code, printed = skin_tune("prepare", root, "--region", "acne", "--size", 32, "--out", tmp_path / "packs")
    assert code == 2
    assert printed.startswith("error: acne: class 2 has no training image")
    assert "1 unreadable image, such as '2/2-0.png'" in printed
    assert not (tmp_path / "packs").exists()


def test_codes_with_gaps_are_classes_in_their_order(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"56": 3, "012": 3, "34": 3})
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert open_pack(outcome.path).classes == ["12", "34", "56"]


def test_a_pack_that_was_there_survives_a_failed_run(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3})
    out = tmp_path / "packs"
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=out))
    before = outcome.path.read_bytes()
    shutil.rmtree(root / "1")
    class_folders(root, {"2": 1})
    with pytest.raises(SourceError):
        prepare(PrepareRequest([root], "acne", size=32, out=out))
    assert outcome.path.read_bytes() == before
    assert files_in(out) == ["acne-32.arrow", "acne-32.quarantine.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{tree}", "--region", "nose"], "region 'nose' is not in the catalogue"),
        (["{tree}", "--region", "lip_dryness,nose"], "region 'nose' is not in the catalogue"),
        (["{tree}", "--region", "lip_dryness,all"], "region 'all' is not in the catalogue"),
        (["{tree}", "--region", ""], "region ''"),
        (["{folders}", "--region", "all"], "region 'all' is not one plain name"),
        (["{folders}", "--region", "a,b"], "region 'a,b' is not one plain name"),
        (["{folders}", "--region", "../x"], "region '../x' is not one plain name"),
        (["{folders}", "--region", "acne", "--format", "zip"], "format 'zip' is not one of aihub, folders, csv"),
        (["{folders}", "--region", "acne", "--format", "csv"], "is not a file, which format 'csv' needs"),
        (["{csv}", "--region", "acne", "--format", "folders"], "is not a folder, which format 'folders' needs"),
        (["{csv}", "{folders}", "--region", "acne"], "which format"),
        (["{csv}", "--region", "acne", "--subject-column", "patient"], "has no column 'patient'; it has path, label"),
        (["{csv}", "--region", "acne", "--images", "{csv}"], "is not a folder"),
        (["{csv}", "--region", "acne"], "acne: there is one class alone (0); a grader needs two or more"),
        (["{csv}", "--region", "acne", "--classes", "0"], "--classes '0' is not a list of two names or more"),
        (["{csv}", "--region", "acne", "--classes", "0,1"], "class 1 has no training image"),
        (["{csv}", "--region", "acne", "--label-column", "grade"], "has no column 'grade'; it has path, label"),
        (["{tree}", "--region", "all", "--classes", "0,1"], "--classes goes with one region, not 8"),
        (["{tree}", "--region", "lip_dryness", "--classes", "0,9"], "--classes names '9'; lip_dryness has grades 0, 1"),
        (["{tree}", "--region", "lip_dryness", "--nominal"], "--nominal goes with formats 'folders' and 'csv'"),
        (["{folders}", "--region", "acne", "--path-column", "x"], "--path-column goes with format 'csv'"),
        (["{folders}", "--region", "acne", "--subject-column", "x"], "--subject-column goes with format 'csv'"),
        (["{folders}", "--region", "acne", "--subject-pattern", "(["], "--subject-pattern '([' is not a regular"),
        (["{tree}", "--region", "all", "--subject-pattern", "x"], "--subject-pattern goes with"),
        (["{tree}", "--region", "all", "--images", "{csv}"], "is not a folder"),
        (["{tree}", "--region", "all", "--images", "{none}"], "does not exist"),
        (["{none}", "--region", "all"], "does not exist"),
        (["{long}", "--region", "all"], "does not exist"),
        (["{tree}"], "Missing option '--region'"),
        (["--region", "all"], "Missing argument 'SOURCE...'"),
        (["{tree}", "--region", "all", "--size", "15"], "size 15 is outside [16, 2048] pixels"),
        (["{tree}", "--region", "all", "--size", "big"], "Invalid value for '--size'"),
        (["{tree}", "--region", "all", "--split", "60/20"], "split '60/20' is not three whole percentages"),
        (["{tree}", "--region", "all", "--split", "60/20/30"], "split '60/20/30' must sum to 100"),
        (["{tree}", "--region", "all", "--split-seed", "-1"], "split seed -1 is below 0"),
        (["{tree}", "--region", "all", "--out", "{csv}"], "is not a writable folder"),
        (["{tree}", "--region", "all", "--out", "{csv}/deeper"], "is not a writable folder"),
        (["{tree}", "--region", "lip_dryness", "--out", "{long}"], "cannot be written to: File name too long"),
        (["{tree}", "--region", "lip_dryness", "--out", "/proc/packs"], "cannot be written to"),
        (["{garbled}", "--region", "acne"], "1 missing photo, such as '입술.png': looked for 입술.png in"),
        (["{empty}", "--region", "acne"], "has no column 'path'; it has none"),
        (["{header}", "--region", "acne"], "acne: nothing is left to pack (no label of it was found)"),
        (["{bare}", "--region", "acne"], "acne: nothing is left to pack (no label of it was found)"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str],
    said: str,
    tree: Path,
    tmp_path: Path,
    class_folders: Folders,
    skin_tune: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {
        "tree": tree,
        "folders": class_folders(tmp_path / "folders", {"0": 2, "1": 2}),
        "csv": tmp_path / "t.csv",
        "garbled": tmp_path / "garbled.csv",
        "empty": tmp_path / "empty.csv",
        "header": tmp_path / "header.csv",
        "bare": tmp_path / "bare",
        "none": tmp_path / "none",
        "long": tmp_path / ("x" * 300),
    }
    places["csv"].write_text("path,label\nfolders/0/0-0.png,0\n")
    places["garbled"].write_bytes("path,label\n입술.png,0\n".encode("cp949"))
    places["empty"].touch()
    places["header"].write_text("path,label\n")
    places["bare"].mkdir()
    before = files_in(tmp_path)
    code, printed = skin_tune("prepare", *(word.format(**places) for word in words))
    assert code == 2
    assert printed.startswith("error: ")
    assert said in printed
    assert printed.count("\n") == 1, printed
    assert files_in(tmp_path) == before


def test_an_unreadable_csv_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.csv"
    file.write_text("path,label\n")

    def refusing(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(prepare_module, "read_csv", refusing)
    with pytest.raises(SourceError, match=r"t\.csv cannot be read: Permission denied"):
        prepare(PrepareRequest([file], "acne", out=tmp_path / "packs"))


# Nothing half-written


@pytest.mark.parametrize("step", ["cut_all", "write_pack", "_write_quarantine", "split_by_subject"])
@pytest.mark.parametrize(
    "failure", [OSError(28, "No space left on device"), MemoryError(), KeyboardInterrupt(), SourceError("killed")]
)
def test_a_failure_at_any_step_leaves_the_folder_as_it_was(
    tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3})

    def failing(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(prepare_module if step == "cut_all" else packing, step, failing)
    expected = SkinTuneError if isinstance(failure, OSError | SourceError) else type(failure)
    with pytest.raises(expected) as caught:
        prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    if isinstance(failure, OSError):
        assert str(caught.value).endswith("cannot be written to: No space left on device")
    assert not (tmp_path / "packs").exists()


def test_a_failed_rename_leaves_neither_pack_nor_quarantine(
    tmp_path: Path, class_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "root", {"0": 3, "1": 3})
    (tmp_path / "packs").mkdir()

    def refusing(self: Path, target: Path) -> Path:
        raise PermissionError(1, "Operation not permitted", str(target))

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(SourceError, match="cannot be written to: Operation not permitted"):
        prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert files_in(tmp_path / "packs") == []


def test_ctrl_c_while_processes_cut_leaves_nothing_and_no_process_complains(
    tmp_path: Path, class_folders: Folders
) -> None:
    root = class_folders(tmp_path / "root", {"0": 60, "1": 60})
    big = Image.effect_noise((1500, 1500), 80).convert("RGB")
    big.save(tmp_path / "big.jpg")
    for image in root.rglob("*.png"):
        image.unlink()
        os.link(tmp_path / "big.jpg", image.with_suffix(".jpg"))
    program = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from skin_tune.data.preparation.prepare import prepare
        from skin_tune.data.sources.request import PrepareRequest
        if __name__ == "__main__":
            os.sched_getaffinity = lambda pid: {0, 1}
            try:
                prepare(PrepareRequest([Path(sys.argv[1])], "acne", out=Path(sys.argv[2])))
            except KeyboardInterrupt:
                print("interrupted")
        """
    )
    (tmp_path / "program.py").write_text(program)
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), str(root), str(tmp_path / "packs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(any(path.read_bytes()[:3000]) for path in (tmp_path / "packs").glob(".prepare-*/acne")):
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
    printed, _ = running.communicate(timeout=60)
    assert printed == "interrupted\n"
    assert not (tmp_path / "packs").exists()


# Inspect


def test_inspect_shows_the_classes_and_counts_of_a_pack(tree: Path, tmp_path: Path, skin_tune: Cli) -> None:
    prepare(PrepareRequest([tree], "lip_dryness", size=32, out=tmp_path / "packs"))
    code, printed = skin_tune("inspect", tmp_path / "packs" / "lip_dryness-32.arrow")
    assert code == 0
    assert "lip_dryness: 21 crops of 32 px" in printed
    assert "class list: 0, 1, 2, 3, 4" in printed
    assert "split 60/20/20 by subject, seed 0" in printed


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"ARROW1\0\0"])
def test_inspect_of_what_is_no_pack_is_one_line(tmp_path: Path, skin_tune: Cli, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.arrow").write_bytes(content)
    code, printed = skin_tune("inspect", tmp_path / "x.arrow")
    assert code == 2
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
