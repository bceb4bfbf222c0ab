"""What cannot be used is told row by row, in a table beside the pack."""

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from skin_tune.data.pack.format import open_pack
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from tests.data.preparation.outcome import files_in, quarantine
from tests.local import local

Draw = Callable[..., Image.Image]


Folders = Callable[..., Path]


AddLabel = Callable[..., Path]


Cli = Callable[..., tuple[int, str]]


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
    assert all((opened.images[row][:, :, 2] == int(opened.subjects[row])).all() for row in range(11))


def test_the_quarantine_file_holds_any_name(tmp_path: Path, class_folders: Folders) -> None:
    root = class_folders(tmp_path / "root", {"0": 2, "1": 2})
    names = ["new\nline.png", 'quo"te,.png', "한글.png", os.fsdecode(b"\xbe\xf3.png")]
    for name in names:
        try:
            (root / "0" / name).write_bytes(b"no image")
        except OSError:
            names.remove(name)
    (outcome,) = prepare(PrepareRequest([root], "acne", size=32, out=tmp_path / "packs"))
    assert len(quarantine(local(outcome.path))) == outcome.quarantined["unreadable image"] == len(names)
    assert {row["source"] for row in quarantine(local(outcome.path))} >= {
        "0/new\nline.png",
        '0/quo"te,.png',
        "0/한글.png",
    }


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
