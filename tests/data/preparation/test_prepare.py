"""From a source to packs, through `prepare` and through the command line."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import skin_tune.data.preparation.prepare as prepare_module
from skin_tune.data.pack.format import content_of, open_pack
from skin_tune.data.pack.writer import images_start
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.preparation.space import pack_bytes
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.errors import SourceError
from skin_tune.regions import CATALOGUE
from tests.data.preparation.outcome import files_in, lips
from tests.local import local

Draw = Callable[..., Image.Image]


Folders = Callable[..., Path]


AddLabel = Callable[..., Path]


Cli = Callable[..., tuple[int, str]]


IDS_OF_0_1_0 = {  # of the tree's packs of 32 px
    "forehead_wrinkle": "336063d737d2dfe178713f33adb95514",
    "forehead_pigmentation": "a8688e1094f462e66cbae1ca1f5d262c",
    "glabellus_wrinkle": "5868980f9ba817271b08c82887027ae1",
    "perocular_wrinkle": "9ae211e3060a497d3c3b8746a90a2f2e",
    "cheek_pigmentation": "1bae699566b7a02b6da141d2e8074c13",
    "cheek_pore": "f36624fb110baf48720af4fdec22f7ce",
    "lip_dryness": "a8bae4d6f1171117e4df2e2f8c426f13",
    "chin_sagging": "6ff410fa3e2bf0b2d86c779f80ed840a",
}


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
    files = files_in(tmp_path / "packs")
    assert [name for name in files if not name.endswith(".crops")] == sorted(
        name for region in CATALOGUE for name in (f"{region}-32.arrow", f"{region}-32.quarantine.csv")
    )
    assert [name.rpartition("-")[0] for name in files if name.endswith(".crops")] == [
        "cheek_pigmentation_and_cheek_pore-32",
        "forehead_pigmentation_and_forehead_wrinkle-32",
    ]
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
            assert (pack.images[row][:, :, 0] == reds[None, :]).all()
            assert (pack.images[row][:, :, 1] == np.arange(20, 52)[:, None]).all()
            assert (pack.images[row][:, :, 2] == subject).all()


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


def test_packs_have_the_ids_that_earlier_versions_gave_them(tree: Path, tmp_path: Path) -> None:
    outcomes = prepare(PrepareRequest([tree], "all", size=32, out=tmp_path / "packs"))
    assert {outcome.region: outcome.info.pack_id for outcome in outcomes if outcome.info} == IDS_OF_0_1_0
    for outcome in outcomes:
        pack = open_pack(outcome.path)
        assert content_of(pack) == pack.info.pack_id


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


def test_a_disk_without_room_is_told_before_the_first_photo_is_opened(
    tree: Path, tmp_path: Path, skin_tune: Cli, opened_photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def nearly_full(folder: Path) -> Any:
        asked.append(folder)
        return shutil._ntuple_diskusage(total=10**9, used=10**9 - 100_000_000, free=100_000_000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    out = tmp_path / "new" / "packs"
    code, printed = skin_tune("prepare", tree, "--region", "all", "--size", 512, "--out", out)
    assert code == 2
    assert printed == (  # 8 crops of each of 21 photos
        f"error: packs of 512 px need 0.137 GB, and 0.1 GB are free in {str(out)!r}; "
        "give a smaller --size, or another --out\n"
    )
    assert asked == [out]
    assert not opened_photos
    assert not out.exists()
    code, printed = skin_tune("prepare", tree, "--region", "lip_dryness", "--size", 512, "--out", out)
    assert code == 0, printed


def test_a_file_system_that_does_not_tell_its_room_is_used(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(total=0, used=0, free=0))
    prepare(PrepareRequest([tree], "lip_dryness", size=32, out=tmp_path / "packs"))
    assert files_in(tmp_path / "packs") == ["lip_dryness-32.arrow", "lip_dryness-32.quarantine.csv"]


def test_a_pack_is_no_larger_than_was_asked_of_the_disk(tree: Path, tmp_path: Path) -> None:
    for size in (32, 100):
        (outcome,) = prepare(PrepareRequest([tree], "cheek_pore", size=size, out=tmp_path / "packs"))
        assert outcome.info is not None
        written, images = local(outcome.path).stat().st_size, 42 * size * size * 3
        assert images < written <= pack_bytes(images_start(outcome.info), 42, size) < images + 64_000


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

    monkeypatch.setitem(prepare_module.READERS, "csv", refusing)
    with pytest.raises(SourceError, match=r"t\.csv cannot be read: Permission denied"):
        prepare(PrepareRequest([file], "acne", out=tmp_path / "packs"))
