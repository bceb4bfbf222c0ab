"""Names of classes, files and people are text on a terminal, in errors and in tables, whoever chose them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.layout.info import PackInfo, content_id, image_digest
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.pack.writer import PackRows, write_pack
from skin_tune.storage.run_paths import quarantine_path
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.local import local
from tests.models import write_model

CLASSES = ["[red]mild[/red]", "=1+1", "-2", ":warning: severe"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Four classes with names to be wary of, three images of each, one in each split."""
    labels = np.repeat(np.arange(4), 3 * 2)
    split = np.tile(np.arange(3), 4 * 2)
    counts = {name: dict.fromkeys(CLASSES, 2) for name in SPLITS}
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)
    names = [f"@person{row}" for row in range(24)]
    digests = [image_digest(image.data) for image in images]
    pack_id = content_id("acne", CLASSES, 32, digests, labels.tolist(), split.tolist(), names, ordinal=False)
    info = PackInfo("acne", CLASSES, 32, 0, [60, 20, 20], counts, pack_id, ordinal=False)
    path = tmp_path_factory.mktemp("pack") / "acne-32.arrow"
    write_pack(path, images, PackRows(labels.astype(np.int16), split.astype(np.int8), names, names), info)
    return open_pack(path)


@pytest.fixture(scope="module")
def model(pack: Pack) -> Path:
    return write_model(local(pack.path.with_name("best.pt")), pack)


def test_class_names_are_printed_as_they_are(pack: Pack, model: Path, tmp_path: Path):
    shown = skin_tune_here("inspect", pack.path).stdout
    table = skin_tune_here("evaluate", model, pack.path, "--storage", tmp_path / "runs").stdout
    for text in (shown, table):
        for name in CLASSES:
            assert name in text


def test_class_names_are_no_formulas_in_csv(pack: Pack, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done = skin_tune_here("evaluate", model, pack.path, "--split", "val", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["class"] for row in rows] == ["[red]mild[/red]", "'=1+1", "-2", ":warning: severe"]
    Image.fromarray(np.asarray(pack.images[0])).save(tmp_path / "@sum.png")
    monkeypatch.chdir(tmp_path)
    done = skin_tune_here("predict", model, "@sum.png", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["path"] == "'@sum.png"
    assert 0 <= float(row["p_=1+1"]) <= 1


def test_file_names_do_not_reach_the_terminal_raw(
    pack: Pack, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)  # short paths: a table wraps long ones
    for name in ("\x1b[31mred\x1b[0m.png", "two\nlines.png", "\udcff.png"):
        Image.fromarray(np.asarray(pack.images[0])).save(tmp_path / name)
    (tmp_path / "\x1b]0;title\x07.png").write_text("no image")
    done = skin_tune_here("predict", model, ".")
    assert done.returncode == 0, done.stderr
    assert not {"\x1b", "\x07", "\udcff"} & {*done.stdout, *done.stderr}
    for name in (r"\x1b[31mred\x1b[0m.png", r"two\nlines.png", r"\udcff.png"):
        assert name in done.stdout
    assert r"\x1b]0;title\x07.png: unreadable image" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "\x1b[31mx\n.arrow"),
        ("train", "\x1b[31mx\n.arrow"),
        ("trials", "--sort", "\x1b[31mx\n"),
        ("trials", "--format", "\x1b[31mx\n" + "y" * 10**5),
        ("predict", "\x1b[31mx\n.pt", "photo.jpg"),
        ("tune", "\x1b[31mx\n.arrow", "epochs=\x1b[31m\n" + "9" * 10**5),
        ("sample", "out", "--subjects", "\x1b[31mx" + "9" * 10**5),
    ],
)
def test_what_was_typed_comes_back_on_one_short_line(words: tuple[str, ...], tmp_path: Path):
    storage = () if words[0] in ("inspect", "predict", "sample") else ("--storage", tmp_path / "runs")
    done = skin_tune_here(*words, *storage)
    assert_one_line_error(done)
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 600


def test_the_tables_beside_a_pack_hold_no_formula_and_can_be_read_back(tmp_path: Path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = ["path,label,subject"]
    for number in range(12):
        pixels = np.random.default_rng(number % 10).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"=p{number}.png")
        rows.append(f"=p{number}.png,{number % 2},@s{number}")
    missing = ["=cmd|' /C calc'!A0.png", "+a.png", "-1.5", "@b.png"]
    rows += [f'"{name}",0,@t' for name in missing]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    command = ("prepare", folder / "labels.csv", "--region", "acne", "--size", "16", "--out", tmp_path / "packs")
    done = skin_tune_here(*command, "--split", "50/50/0")
    assert done.returncode == 0, done.stderr
    pack = tmp_path / "packs" / "acne-16.arrow"
    with quarantine_path(pack).open(newline="") as file:
        cells = [row["source"] for row in csv.DictReader(file)]
    assert cells == ["'=cmd|' /C calc'!A0.png", "'+a.png", "-1.5", "'@b.png"]
    assert [cell.removeprefix("'") for cell in cells] == missing
    joined = pack.with_suffix(".joined.csv")
    with joined.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 4
    assert all(value.startswith(("'=", "'@")) for row in found for value in row.values())
    assert "=p0.png" in open_pack(pack).sources.tolist()


def test_a_class_whose_name_a_terminal_would_obey_makes_no_pack(tmp_path: Path):
    folder = tmp_path / "classes"
    for name in ("mild", "\x1b[31msevere"):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(len(name) * 10 + number).integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    done = skin_tune_here("prepare", folder, "--region", "acne", "--out", tmp_path / "packs", "--split", "50/50/0")
    assert_one_line_error(done, r"class '\x1b[31msevere' has control characters")
    assert not (tmp_path / "packs").exists()
