"""What goes in is what was meant: every odd source through the command line, read right or refused in one line."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.pack.format import Pack, open_pack

Cli = Callable[..., tuple[int, str]]
Rows = Sequence[Sequence[object]]


class Lab:
    """A folder with photos and a table of them, and what `prepare` makes of it."""

    def __init__(self, folder: Path, skin_tune: Cli):
        self.folder, self._skin_tune = folder, skin_tune
        self._drawn = 0

    def photo(self, name: str) -> str:
        """Draw a photo that is like no other; its name."""
        self._drawn += 1
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(self._drawn).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return name

    def table(self, header: str, rows: Rows, name: str = "t.csv") -> Path:
        """A table whose first column are photos, which are drawn where they are not there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header.split(","))
            writer.writerows(rows)
        for row in rows:
            if not (path.parent / str(row[0])).exists():
                self.photo(str(path.parent.relative_to(self.folder) / str(row[0])))
        return path

    def graded(self, grades: Sequence[object], each: int = 3) -> Path:
        """A table of `each` photos, of as many people, for every grade."""
        rows = [(f"{n}-{i}.png", grade, f"p{n}-{i}") for n, grade in enumerate(grades) for i in range(each)]
        return self.table("path,label,subject", rows)

    def prepare(self, *words: object) -> tuple[int, str]:
        """Exit code and what was printed, on one line for each."""
        code, printed = self._skin_tune(
            "prepare", *words, "--region", "acne", "--size", 16, "--out", self.folder / "packs"
        )
        return code, re.sub(r" *\n(?!\w+:|\w+ |\d)", " ", printed)

    def refused(self, *words: object) -> str:
        """The one line with which `prepare` refuses; nothing is left behind."""
        before = sorted(self.folder.glob("packs/*"))
        code, printed = self.prepare(*words)
        assert code == 2, printed
        assert printed.startswith("error: ")
        assert printed.strip().count("\n") == 0, printed
        assert sorted(self.folder.glob("packs/*")) == before
        return printed

    def packed(self, *words: object) -> tuple[Pack, str]:
        """The pack, and what was printed."""
        code, printed = self.prepare(*words)
        assert code == 0, printed
        return open_pack(self.folder / "packs" / "acne-16.arrow"), printed

    def inspected(self, pack: Pack) -> str:
        """What `inspect` says of a pack."""
        code, printed = self._skin_tune("inspect", pack.path)
        assert code == 0, printed
        return printed

    @property
    def quarantine(self) -> dict[str, str]:
        """Reason by source."""
        with (self.folder / "packs" / "acne-16.quarantine.csv").open(newline="", encoding="utf-8") as file:
            return {row["source"]: row["reason"] for row in csv.DictReader(file)}


@pytest.fixture
def lab(tmp_path: Path, skin_tune: Cli) -> Lab:
    return Lab(tmp_path, skin_tune)


def label_of(pack: Pack) -> dict[str, str]:
    return {
        source: pack.classes[label] for source, label in zip(pack.sources.tolist(), pack.labels.tolist(), strict=True)
    }


# Grades


def test_half_grades_are_classes_in_their_order(lab: Lab) -> None:
    pack, _ = lab.packed(lab.graded(["3.0", "1.0", "2.5", "1.5", "2.0"]))
    assert pack.classes == ["1", "1.5", "2", "2.5", "3"]
    assert label_of(pack)["2-0.png"] == "2.5"


def test_codes_with_gaps_are_classes(lab: Lab) -> None:
    pack, _ = lab.packed(lab.graded(["56", "12", "34"]))
    assert pack.classes == ["12", "34", "56"]


def test_names_stand_in_the_order_that_is_given(lab: Lab) -> None:
    file = lab.graded(["mild", "none", "severe", "moderate", "unclear"])
    pack, printed = lab.packed(file, "--classes", "none,mild,moderate,severe")
    assert pack.classes == ["none", "mild", "moderate", "severe"]
    assert pack.info.ordinal
    assert lab.quarantine == {f"4-{i}.png": "class left out" for i in range(3)}
    assert "3 class left out" in printed
    assert "alphabet" not in printed


def test_an_order_that_nobody_gave_is_told_and_none_is_needed_for_diagnoses(lab: Lab) -> None:
    file = lab.graded(["없음", "심함", "약함"])
    _, printed = lab.packed(file)
    assert "warning: the order of the classes is that of the alphabet: 심함, 약함, 없음" in printed
    pack, printed = lab.packed(file, "--nominal")
    assert not pack.info.ordinal
    assert "alphabet" not in printed
    assert "class list: 심함, 약함, 없음 (nominal)" in lab.inspected(pack)


def test_missing_grades_are_quarantined_and_a_number_with_an_underscore_is_a_name(lab: Lab) -> None:
    rows = [
        (f"{n}.png", grade, n) for n, grade in enumerate(["0"] * 4 + ["0_1"] * 4 + ["nan", "NaN", "NA", "None", ""])
    ]
    pack, _ = lab.packed(lab.table("path,label,subject", rows))
    assert pack.classes == ["0", "0_1"]
    assert lab.quarantine == {f"{n}.png": "missing grade" for n in range(8, 13)}


def test_more_than_half_of_the_rows_lost_is_no_pack_unless_it_is_allowed(lab: Lab) -> None:
    rows = [(f"{n}.png", -(n % 7), n) for n in range(42)]
    file = lab.table("path,label,subject", rows)
    said = lab.refused(file)
    assert "acne: 36 of 42 rows cannot be used (36 grade below 0, such as '1.png': -1)" in said
    assert "--classes=-1,0,1 takes grades below 0 as classes; --allow-losses packs the rest" in said
    assert "there is one class alone (0)" in lab.refused(file, "--allow-losses")
    pack, _ = lab.packed(file, "--classes=-6,-5,-4,-3,-2,-1,0")
    assert pack.classes == ["-6", "-5", "-4", "-3", "-2", "-1", "0"]


def test_losses_among_the_photos_count_too(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=6)
    for n in range(2):
        for i in range(4):
            (lab.folder / f"{n}-{i}.png").write_bytes(b"no image")
    assert "8 of 12 rows cannot be used (8 unreadable image, such as '0-0.png'" in lab.refused(file)
    pack, _ = lab.packed(file, "--allow-losses")
    assert len(pack.labels) == 4


def test_a_class_without_a_training_image_names_the_way_out(lab: Lab) -> None:
    said = lab.refused(lab.graded(["0", "1"]), "--classes", "0,1,2")
    assert "class 2 has no training image" in said
    assert "--classes 0,1 leaves it out" in said


# People


def test_a_person_whose_number_is_written_in_two_ways_is_one(lab: Lab) -> None:
    first = lab.table("path,label,subject", [(f"a{n}.png", n % 2, n) for n in range(20)], "a/t.csv")
    second = lab.table("path,label,subject", [(f"b{n}.png", n % 2, f" {n:03d}.0 ") for n in range(20)], "b/t.csv")
    pack, printed = lab.packed(first, second)
    assert len(set(pack.subjects.tolist())) == 20
    assert "no subject is in two splits (20 subjects checked)" in printed


def test_names_that_differ_in_letter_case_are_told(lab: Lab) -> None:
    rows = [(f"{n}.png", n % 2, ("P1", "p1", "Kim", "kim", "lee", "Park")[n]) for n in range(6)]
    _, printed = lab.packed(lab.table("path,label,subject", rows))
    assert "'Kim' and 'kim' differ in letter case alone (and 1 more such pairs)" in printed


def test_the_same_picture_makes_two_people_one(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=8)
    shutil.copyfile(lab.folder / "0-0.png", lab.folder / "0-1.png")
    pack, printed = lab.packed(file)
    rows = np.isin(pack.sources, ["0-0.png", "0-1.png"])
    assert set(pack.subjects[rows].tolist()) == {"p0-0"}
    assert "2 subjects share pictures and were joined into 1: see acne-16.joined.csv" in printed
    assert (lab.folder / "packs" / "acne-16.joined.csv").read_text().splitlines() == [
        "person,subject,source",
        "p0-0,p0-0,0-0.png",
        "p0-0,p0-1,0-1.png",
    ]


# Splits


def split_rows(*splits: str) -> list[tuple[str, int, str, str]]:
    return [(f"{s}{n}.png", n % 2, f"{s}{n}", split) for s, split in enumerate(splits) for n in range(4)]


def test_the_split_of_a_table_is_kept(lab: Lab) -> None:
    rows = split_rows("train", "Validation", "TEST", "training")
    file = lab.table("path,label,subject,split", rows)
    pack, printed = lab.packed(file)
    given = {row[0]: row[3].lower().replace("validation", "val").replace("training", "train") for row in rows}
    assert dict(zip(pack.sources.tolist(), pack.split.tolist(), strict=True)) == given
    assert "split as the source gives it" in lab.inspected(pack)
    pack, printed = lab.packed(file, "--split", "50/50/0")
    assert "note: the source's own split is not used, since --split is given" in printed
    assert set(pack.split.tolist()) == {"train", "val"}


def test_a_person_in_two_given_splits_is_named(lab: Lab) -> None:
    rows = [*split_rows("train", "val", "test"), ("x.png", 0, "00", "test"), ("y.png", 0, "10", "test")]
    said = lab.refused(lab.table("path,label,subject,split", rows))
    assert "subject '00' in train and test, '10' in val and test; give --split 60/20/20" in said


def test_a_picture_in_two_given_splits_is_refused_by_its_people(lab: Lab) -> None:
    file = lab.table("path,label,subject,split", split_rows("train", "val"))
    shutil.copyfile(lab.folder / "00.png", lab.folder / "10.png")
    assert "has subject '00' in train and val" in lab.refused(file)


def test_rows_without_a_split_take_their_person_s_or_are_quarantined(lab: Lab) -> None:
    rows = [*split_rows("train", "val"), ("x.png", 0, "00", ""), ("y.png", 0, "nobody", "")]
    pack, _ = lab.packed(lab.table("path,label,subject,split", rows))
    assert dict(zip(pack.sources.tolist(), pack.split.tolist(), strict=True))["x.png"] == "train"
    assert lab.quarantine == {"y.png": "no split given"}


def test_without_a_given_val_some_people_of_train_are_set_aside(lab: Lab) -> None:
    pack, _ = lab.packed(lab.table("path,label,subject,split", split_rows("train", "train", "train", "test")))
    test = np.array([source.startswith("3") for source in pack.sources.tolist()])
    assert ((pack.split == "test") == test).all()
    assert 2 <= (pack.split == "val").sum() <= 4
    assert "split as the source gives it, its train 75/25/0 by subject, seed 0" in lab.inspected(pack)


def test_folders_train_val_and_test_are_a_split_and_no_classes(lab: Lab) -> None:
    for split in ("train", "val", "test"):
        for grade in (0, 1):
            lab.photo(f"root/{split}/{grade}/{split}.png")
    pack, _ = lab.packed(lab.folder / "root")
    assert pack.classes == ["0", "1"]
    assert all(source.startswith(split) for source, split in zip(pack.sources, pack.split, strict=True))


# Files


def test_a_class_folder_behind_a_link_is_read_and_a_loop_is_counted(lab: Lab) -> None:
    for grade in (0, 1, 2):
        for n in range(3):
            lab.photo(f"{'elsewhere' if grade == 2 else 'root'}/{grade}/{n}_01_F.png")
    (lab.folder / "root" / "2").symlink_to(lab.folder / "elsewhere" / "2")
    (lab.folder / "root" / "0" / "up").symlink_to(lab.folder / "root")
    (lab.folder / "root" / "0" / "notes.txt").touch()
    pack, printed = lab.packed(lab.folder / "root")
    assert pack.classes == ["0", "1", "2"]
    assert len(pack.labels) == 9
    assert "left out: " in printed
    assert "1 link to a folder that is read already" in printed
    assert "1 .txt file" in printed


def test_a_table_may_lie_anywhere_if_the_photos_are_named(lab: Lab) -> None:
    for n in range(6):
        lab.photo(f"photos/{n % 3}/ISIC_{n}.png")
    (lab.folder / "tables").mkdir()
    file = lab.folder / "tables" / "t.csv"
    file.write_text("Image;DX;Group\n" + "".join(f"ISIC_{n};{n % 2};g{n}\n" for n in range(6)), encoding="utf-16")
    columns = ("--path-column", "image", "--label-column", "dx", "--subject-column", "group")
    assert "nothing is left to pack (6 missing photo, such as 'ISIC_0': looked for ISIC_0 in" in lab.refused(
        file, *columns
    )
    pack, _ = lab.packed(file, *columns, "--images", lab.folder / "photos")
    assert sorted(pack.subjects.tolist()) == [f"g{n}" for n in range(6)]


def test_pipes_among_the_photos_are_not_waited_for(lab: Lab) -> None:
    file = lab.graded(["0", "1"])
    (lab.folder / "0-0.png").unlink()
    os.mkfifo(lab.folder / "0-0.png")
    lab.packed(file)
    assert lab.quarantine == {"0-0.png": "not a regular file"}


def test_whom_photos_show_is_kept_in_the_pack(lab: Lab) -> None:
    rows = [(f"{n}.png", n % 2, n, "F" if n else "nan", 20 + n, n + 1) for n in range(6)]
    pack, _ = lab.packed(lab.table("path,label,subject,Gender,age,skin_type", rows))
    assert pack.about["gender"].tolist() == [None, "F", "F", "F", "F", "F"]
    assert pack.about["age"].tolist() == [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    assert pack.about["skin_type"].tolist() == ["1", "2", "3", "4", "5", "6"]
    assert pack.about["device"].tolist() == [None] * 6


# Packs that were there


def test_a_pack_that_experiments_were_run_on_is_not_overwritten_unawares(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=8)
    before, _ = lab.packed(file)
    lab.packed(file, "--split-seed", "1")  # nobody has used it
    pack, _ = lab.packed(file)
    assert pack.info.pack_id == before.info.pack_id
    storage = lab.folder / "runs"
    train = ("train", pack.path, "--storage", storage, "--wandb", "disabled")
    config = ("backbone=resnet18", "weights=none", "image_size=16", "batch_size=4", "epochs=1")
    done = subprocess.run(
        [sys.executable, "-m", "skin_tune", *map(str, train), "--name", "by-hand", *config],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lab.packed(file)  # the same pack again
    said = lab.refused(file, "--split-seed", "1")
    assert f"would change, and experiments were run on it: by-hand (in {storage})" in said
    assert "--replace" in said
    replaced, _ = lab.packed(file, "--split-seed", "1", "--replace")
    assert replaced.info.pack_id != before.info.pack_id
    lab.packed(file)  # nobody has used that one
    shutil.rmtree(storage / "experiments")
    lab.packed(file, "--split-seed", "1")  # the experiment is no more
