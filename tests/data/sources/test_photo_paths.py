"""Photos are found where they are meant to be, through links as well, and nothing that never ends is opened."""

import os

from tests.data.lab import Lab


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
