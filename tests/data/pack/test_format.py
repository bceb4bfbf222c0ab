"""A pack is one mapped file; what is not a whole pack is told in one line."""

import contextlib
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.layout.info import FORMAT_VERSION, READABLE_VERSIONS, PackInfo
from skin_tune.data.pack.writer import PackRows, complete_pack, images_start, write_pack
from skin_tune.errors import PackError
from tests.data.pack.refused import refusal

SIZE, ROWS = 16, 6


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (ROWS, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def write(tmp_path: Path, images: np.ndarray) -> Callable[..., Path]:
    def writing(**changes: Any) -> Path:
        info = PackInfo(
            region="acne",
            classes=["0", "1", "2"],
            size=SIZE,
            split_seed=0,
            split_ratios=[60, 20, 20],
            counts={
                "train": {"0": 2, "1": 1, "2": 1},
                "val": {"0": 0, "1": 1, "2": 0},
                "test": {"0": 0, "1": 0, "2": 1},
            },
            pack_id="abc",
        )
        rows = PackRows(
            label=np.array([0, 1, 1, 2, 2, 0], np.int16),
            split=np.array([0, 0, 1, 0, 2, 0], np.int8),
            subject=["a", "b", "c", "한", "e", "f"],
            source=[f"{n}.jpg" for n in range(ROWS)],
            about={"device": ["01"] * ROWS, "angle": ["F", "L30"] * 3},
        )
        path = tmp_path / "acne-16.arrow"
        write_pack(path, changes.get("images", images), changes.get("rows", rows), info)
        return path

    return writing


def test_what_is_written_is_read(write: Callable[..., Path], images: np.ndarray) -> None:
    pack = open_pack(write())
    np.testing.assert_array_equal(pack.images, images)
    assert pack.images.dtype == np.uint8
    assert pack.labels.tolist() == [0, 1, 1, 2, 2, 0]
    assert pack.subjects.tolist() == ["a", "b", "c", "한", "e", "f"]
    assert pack.sources.tolist() == [f"{n}.jpg" for n in range(ROWS)]
    assert pack.split.tolist() == ["train", "train", "val", "train", "test", "train"]
    assert pack.classes == ["0", "1", "2"]
    assert pack.indices("train").tolist() == [0, 1, 3, 5]
    assert pack.class_counts("train").tolist() == [2, 1, 1]
    assert pack.class_counts("val").tolist() == [0, 1, 0]


def test_images_are_the_mapped_file_itself_and_read_only(write: Callable[..., Path]) -> None:
    path = write()
    before = pa.total_allocated_bytes()
    pack = open_pack(path)
    assert pa.total_allocated_bytes() == before
    pixels = np.asarray(pack.images)
    assert not pixels.flags.writeable
    assert not pixels.flags.owndata
    assert not pack.images[0].flags.writeable
    old = pack.images[3][5, 7].copy()
    start = path.read_bytes().index(pixels.tobytes())
    with path.open("r+b") as file:  # what is changed in the file is seen through the map
        file.seek(start + ((3 * SIZE + 5) * SIZE + 7) * 3)
        file.write(bytes(255 - old))
    assert (pack.images[3][5, 7] == 255 - old).all()


def test_images_live_on_when_the_pack_is_dropped(write: Callable[..., Path], images: np.ndarray) -> None:
    kept = open_pack(write()).images[2:4]
    gc.collect()
    assert (kept == images[2:4]).all()


def test_images_begin_at_a_page_and_only_blanks_are_added_to_what_a_pack_says_of_itself(
    write: Callable[..., Path], images: np.ndarray
) -> None:
    path = write()
    assert path.read_bytes().index(images.tobytes()) == 4096
    said = pa.ipc.open_file(pa.memory_map(str(path))).schema.metadata[b"skin_tune"]
    assert json.loads(said)["region"] == "acne"
    assert json.dumps(json.loads(said)).encode() == said.rstrip(b" ")


def test_a_region_of_more_than_two_gigabytes_can_be_completed_and_read(tmp_path: Path) -> None:
    count = 10_923  # of 256 pixels: the first beyond 2^31 bytes
    counts = {"train": {"0": count, "1": 0}, "val": {"0": 0, "1": 0}, "test": {"0": 0, "1": 0}}
    info = PackInfo("acne", ["0", "1"], 256, 0, [60, 20, 20], counts, "abc")
    start, path = images_start(info), tmp_path / "x.arrow"
    with path.open("wb") as file:
        file.truncate(start + (count + 9) * 256 * 256 * 3)  # a hole, which takes no room on the disk
    with path.open("r+b") as file:
        file.seek(start + (count - 1) * 256 * 256 * 3)
        file.write(b"\7" * 256 * 256 * 3)
    blank = [""] * count
    complete_pack(path, start, PackRows(np.zeros(count, np.int16), np.zeros(count, np.int8), blank, blank), info)
    pack = open_pack(path)
    assert len(pack.images) == count
    assert (pack.images[-1] == 7).all()
    assert not pack.images[-2].any()
    assert path.stat().st_size < start + (count + 9) * 256 * 256 * 3
    assert path.stat().st_blocks * 512 < 10_000_000, "the images were written again"


def test_room_is_left_for_counts_that_are_not_known_yet(tmp_path: Path) -> None:
    classes = [str(grade) for grade in range(300)]
    largest = {split: dict.fromkeys(classes, 100_000) for split in ("train", "val", "test")}
    start = images_start(PackInfo("acne", classes, SIZE, 0, [100, 100, 100], largest, "0" * 32))
    counts = {split: dict.fromkeys(classes, 0) for split in largest} | {"train": dict.fromkeys(classes, 1)}
    images = np.random.default_rng(0).integers(0, 256, (300, SIZE, SIZE, 3), dtype=np.uint8)
    path = tmp_path / "x.arrow"
    path.write_bytes(bytes(start) + images.tobytes())
    names = [str(row) for row in range(300)]
    rows = PackRows(np.arange(300, dtype=np.int16), np.zeros(300, np.int8), names, names)
    complete_pack(path, start, rows, PackInfo("acne", classes, SIZE, 0, [60, 20, 20], counts, "abc"))
    np.testing.assert_array_equal(open_pack(path).images, images)


def test_a_failed_write_leaves_the_old_pack_and_no_other_file(write: Callable[..., Path], images: np.ndarray) -> None:
    path = write()
    before = path.read_bytes()
    empty = PackRows(np.zeros(0, np.int16), np.zeros(0, np.int8), [], [])
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        write(rows=empty)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_missing_file_and_a_folder_are_no_packs(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "x.arrow")
    refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"ARROW1\0\0", b"ARROW1\0\0" + b"\xff" * 100 + b"ARROW1"])
def test_a_file_of_another_kind_is_no_pack(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.arrow").write_bytes(content)
    assert "is not a pack" in refusal(tmp_path / "x.arrow")


def test_a_truncated_pack_is_no_pack(write: Callable[..., Path]) -> None:
    path = write()
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert "is not a pack" in refusal(path)


def test_a_damaged_footer_is_at_most_a_pack_error(write: Callable[..., Path]) -> None:
    path = write()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole) - 1500, len(whole)))] ^= 0xFF
        path.write_bytes(damaged)
        with contextlib.suppress(PackError):
            open_pack(path)


def test_a_parquet_file_is_no_pack(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "x.arrow")
    assert "is not a pack" in refusal(tmp_path / "x.arrow")


def rewritten(path: Path, change: Callable[[pa.Table, dict[str, Any]], tuple[pa.Table, Any]]) -> Path:
    table = pa.ipc.open_file(pa.OSFile(str(path))).read_all()
    table, metadata = change(table, json.loads(table.schema.metadata[b"skin_tune"]))
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    table = table.replace_schema_metadata({b"skin_tune": text})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)
    return path


def test_another_format_version_is_named(write: Callable[..., Path]) -> None:
    path = rewritten(write(), lambda table, said: (table, said | {"format_version": 99}))
    assert f"format version 99, this program reads up to {max(READABLE_VERSIONS)}" in refusal(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda table, said: (table, b"{"),
        lambda table, said: (table, b"\xff"),
        lambda table, said: (table, [1]),
        lambda table, said: (table, {}),
        lambda table, said: (table, {"format_version": FORMAT_VERSION}),
        lambda table, said: (table.drop_columns(["subject"]), said),
        lambda table, said: (table.drop_columns(["image"]), said),
        lambda table, said: (table.set_column(0, "image", pa.array([b"x"] * ROWS)), said),
    ],
)
def test_metadata_or_columns_that_are_not_a_pack_s_are_refused(
    write: Callable[..., Path], change: Callable[..., Any]
) -> None:
    assert "is not a pack" in refusal(rewritten(write(), change))


def test_a_pack_without_rows_is_empty(write: Callable[..., Path]) -> None:
    assert "is empty" in refusal(rewritten(write(), lambda table, said: (table.slice(0, 0), said)))


def test_a_pack_is_frozen(write: Callable[..., Path]) -> None:
    pack = open_pack(write())
    assert isinstance(pack, Pack)
    with pytest.raises(AttributeError):
        pack.labels = np.zeros(1, np.int64)  # type: ignore[misc]
