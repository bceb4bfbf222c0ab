"""A split that the source brings is kept, and a person or picture in two of its parts is refused."""

import shutil

import numpy as np

from tests.data.lab import Lab


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
