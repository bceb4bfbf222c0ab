"""A pack comes from anybody: what it says of itself is checked, field by field and column by column."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skin_tune.data.pack.format import open_pack
from skin_tune.errors import SkinTuneError
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.data.pack.refused import refusal
from tests.local import local

COUNTS = {"train": (3, 2, 1), "val": (1, 1, 1), "test": (1, 1, 1)}
SIZE = 16
Columns = dict[str, pa.Array]
Change = Callable[[dict[str, Any], Columns], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return local(write_synthetic_pack(tmp_path_factory.mktemp("pack") / "sound.arrow", COUNTS, size=SIZE).path)


def contents(path: Path) -> tuple[dict[str, Any], Columns]:
    """What a pack says of itself, and its columns."""
    batch = pa.ipc.open_file(pa.OSFile(str(path))).get_batch(0)
    columns = {name: batch.column(name) for name in batch.schema.names}
    return json.loads(batch.schema.metadata[b"skin_tune"]), columns


def write(path: Path, metadata: Any, columns: Columns, *, batches: int = 1, compression: str | None = None) -> Path:
    """A file of the format of packs; `metadata` is JSON text or what it stands for."""
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    schema = pa.schema(fields, metadata={b"skin_tune": text})
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema, options=options) as out:
        for _ in range(batches):
            out.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return path


def rewritten(sound: Path, path: Path, change: Change) -> Path:
    metadata, columns = contents(sound)
    change(metadata, columns)
    return write(path, metadata, columns)


def images(*shape: int, dtype: Any = np.uint8) -> pa.Array:
    """12 images of a shape and type."""
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((12, *shape), dtype))


def texts(columns: Columns, name: str, *changed: Any) -> None:
    """Put values in place of the first ones of a column."""
    columns[name] = pa.array([*changed, *columns[name].to_pylist()[len(changed) :]], columns[name].type)


def test_a_sound_pack_opens_as_it_was_written(sound: Path, tmp_path: Path):
    again = open_pack(rewritten(sound, tmp_path / "p.arrow", lambda metadata, columns: None))
    assert again.info == open_pack(sound).info
    np.testing.assert_array_equal(again.images, open_pack(sound).images)


def test_what_a_later_version_may_say_beside_is_not_looked_at(sound: Path, tmp_path: Path):
    def change(metadata: dict[str, Any], columns: Columns) -> None:
        metadata["colour"] = {"space": "sRGB"}
        columns["weather"] = pa.array([1.5] * 12)

    assert open_pack(rewritten(sound, tmp_path / "p.arrow", change)).info == open_pack(sound).info


def test_a_pack_of_the_first_version_opens(sound: Path, tmp_path: Path):
    def change(metadata: dict[str, Any], columns: Columns) -> None:
        for name in ("ordinal", "split_given"):
            del metadata[name]
        for name in ("age", "gender", "skin_type"):
            del columns[name]
        metadata["format_version"] = 1

    pack = open_pack(rewritten(sound, tmp_path / "p.arrow", change))
    assert (pack.info.ordinal, pack.info.format_version) == (True, 1)
    assert pack.about["age"].tolist() == [None] * 12


def test_counts_are_in_the_order_of_the_classes_however_they_are_written(sound: Path, tmp_path: Path):
    def change(metadata: dict[str, Any], columns: Columns) -> None:
        metadata["counts"] = {
            name: dict(reversed(list(counts.items()))) for name, counts in reversed(list(metadata["counts"].items()))
        }

    opened = open_pack(rewritten(sound, tmp_path / "p.arrow", change))
    assert json.dumps(opened.info.counts) == json.dumps(open_pack(sound).info.counts)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("region", "../../x", "region '../../x' is not one plain name"),
        ("region", "/abs", "region '/abs'"),
        ("region", "", "region ''"),
        ("region", "all", "region 'all'"),
        ("region", "a b", "region 'a b'"),
        ("region", "a\x1b[31m", r"region 'a\x1b[31m'"),
        ("region", "r" * 201, "is not one plain name"),
        ("region", ["lip_dryness"], "region ['lip_dryness']"),
        ("region", 5, "region 5"),
        ("classes", "012", "classes '012' are not a list"),
        ("classes", [0, 1, 2], "class 0 is not a text"),
        ("classes", ["0", "1", ""], "class '' has no name"),
        ("classes", ["0", "1", " "], "class ' ' has no name"),
        ("classes", ["0", "1", "1"], "class '1' is there twice"),
        ("classes", ["0", "1", "\x1b[2J"], r"class '\x1b[2J' has control characters"),
        ("classes", ["0", "1", "a\nb"], r"class 'a\nb' has control characters"),
        ("classes", ["0", "1", "\u202eb"], "has control characters"),
        ("classes", ["0", "1", ["2"]], "class ['2'] is not a text"),
        ("classes", ["0"], "there are 1 classes, not 2 to 1000"),
        ("classes", [], "there are 0 classes"),
        ("classes", [str(n) for n in range(1001)], "there are 1001 classes"),
        ("classes", ["0", "1"], "column label holds 2, and there are 2 classes"),
        ("classes", ["0", "1", "2", "3"], "counts of train"),
        ("size", 32, "images are of shape [16, 16, 3], and its size 32"),
        ("size", "16", "size '16' is not a whole number in [16, 2048]"),
        ("size", 16.0, "size 16.0"),
        ("size", True, "size True"),
        ("size", 10**9, "size 1000000000"),
        ("size", None, "size None"),
        ("split_seed", "zero", "split_seed 'zero' is not a whole number"),
        ("split_seed", -1, "split_seed -1"),
        ("split_seed", 10**400, "split_seed 1000"),
        ("split_seed", 1.5, "split_seed 1.5"),
        ("split_ratios", [60, 20], "split_ratios [60, 20]"),
        ("split_ratios", [60, 20, 21], "sum 100"),
        ("split_ratios", "60/20/20", "split_ratios '60/20/20'"),
        ("counts", {}, "counts {}"),
        ("counts", {"train": 1, "val": 2, "test": 3}, "counts 1 are not whole numbers by class"),
        ("counts", {"train": {"0": 9, "1": 2, "2": 1}, "val": {}, "test": {}}, "counts of train say {'0': 9"),
        ("pack_id", "../../x", "pack_id '../../x'"),
        ("pack_id", "", "pack_id ''"),
        ("pack_id", 7, "pack_id 7"),
        ("ordinal", "yes", "ordinal 'yes' is neither true nor false"),
        ("ordinal", 1, "ordinal 1"),
        ("split_given", None, "split_given None"),
        ("format_version", True, "format version True"),
        ("format_version", 2.0, "format version 2.0"),
        ("format_version", [2], "format version [2]"),
    ],
)
def test_each_field_holds_what_it_can_hold(sound: Path, tmp_path: Path, field: str, value: Any, said: str):
    path = rewritten(sound, tmp_path / "p.arrow", lambda metadata, columns: metadata.update({field: value}))
    assert said in refusal(path)


@pytest.mark.parametrize("field", ["region", "classes", "size", "split_seed", "split_ratios", "counts", "pack_id"])
def test_each_field_is_needed(sound: Path, tmp_path: Path, field: str):
    path = rewritten(sound, tmp_path / "p.arrow", lambda metadata, columns: metadata.pop(field))
    assert f"it does not say its {field}" in refusal(path)


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"{", b"\xff", b"[1]", b"null", b'"x"', b"1e999"],
    ids=["lists", "objects", "digits", "open", "bytes", "list", "null", "text", "infinite"],
)
def test_metadata_are_one_json_object_of_a_sane_depth(sound: Path, tmp_path: Path, text: bytes):
    assert "what it says of itself is" in refusal(write(tmp_path / "p.arrow", text, contents(sound)[1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _, columns: columns.update(image=images(SIZE, SIZE)), "images are of shape [16, 16]"),
        (lambda _, columns: columns.update(image=images(SIZE, 8, 3)), "images are of shape [16, 8, 3]"),
        (lambda _, columns: columns.update(image=images(3, SIZE, SIZE)), "images are of shape [3, 16, 16]"),
        (lambda _, columns: columns.update(image=images(SIZE, SIZE, 3, dtype=np.float32)), "not a tensor of uint8"),
        (lambda _, columns: columns.update(image=pa.array([b"x"] * 12)), "column image is of type binary"),
        (lambda _, columns: columns.pop("image"), "it has no column image"),
        (lambda _, columns: texts(columns, "label", -1), "column label holds -1, and there are 3 classes"),
        (lambda _, columns: texts(columns, "label", 99), "column label holds 99"),
        (lambda _, columns: texts(columns, "label", None), "column label lacks 1 of its 12 values"),
        (lambda _, columns: columns.update(label=columns["label"].cast(pa.float32())), "column label is of type float"),
        (lambda _, columns: columns.update(label=columns["label"].cast(pa.string())), "column label is of type string"),
        (lambda _, columns: columns.pop("label"), "it has no column label"),
        (lambda _, columns: texts(columns, "split", "training"), "column split holds 'training'"),
        (lambda _, columns: texts(columns, "split", None), "column split lacks 1"),
        (lambda _, columns: texts(columns, "split", "val"), "counts of train say"),
        (lambda _, columns: columns.update(subject=pa.array(range(12))), "column subject is of type int64, not string"),
        (lambda _, columns: columns.update(source=pa.array([1.5] * 12)), "column source is of type double"),
        (lambda _, columns: columns.update(gender=pa.array([1] * 12)), "column gender is of type int64"),
        (lambda _, columns: columns.update(age=pa.array(["40"] * 12)), "column age is of type string, not float"),
        (lambda _, columns: texts(columns, "source", None), "column source lacks 1"),
        (lambda _, columns: texts(columns, "source", "x" * 5000), "column source has a text of 5000 bytes"),
        (lambda _, columns: texts(columns, "subject", "s\0"), "ends in a zero byte"),
        (
            lambda _, columns: texts(columns, "subject", columns["subject"][11].as_py()),
            "subject 's0011' is in two splits, train and test",
        ),
    ],
)
def test_columns_are_what_the_pack_says_of_them(sound: Path, tmp_path: Path, change: Change, said: str):
    assert said in refusal(rewritten(sound, tmp_path / "p.arrow", change))


def test_a_subject_may_have_many_photos_in_one_split(sound: Path, tmp_path: Path):
    path = rewritten(sound, tmp_path / "p.arrow", lambda _, columns: texts(columns, "subject", *["s0000"] * 6))
    assert open_pack(path).subjects[:7].tolist() == ["s0000"] * 6 + ["s0006"]


def test_rows_are_one_batch_and_pixels_lie_in_the_file(sound: Path, tmp_path: Path):
    metadata, columns = contents(sound)
    path = tmp_path / "p.arrow"
    assert "it has 2 record batches" in refusal(write(path, metadata, columns, batches=2))
    assert "it is empty" in refusal(write(path, metadata, columns, batches=0))
    blank = {**columns, "image": images(SIZE, SIZE, 3)}
    assert "they are compressed or missing" in refusal(write(path, metadata, blank, compression="zstd"))
    assert not np.asarray(open_pack(write(path, metadata, blank)).images).any()


def test_text_that_is_not_utf_8_is_no_pack_s(sound: Path, tmp_path: Path):
    content = sound.read_bytes()
    assert content.count(b"s0003") == 2  # as subject and as source
    (tmp_path / "p.arrow").write_bytes(content.replace(b"s0003", b"s\xff\xfe03"))
    assert "is not a pack" in refusal(tmp_path / "p.arrow")


@pytest.mark.parametrize("command", ["inspect", "train", "tune"])
@pytest.mark.parametrize("region", ["../../outside", "/tmp/outside-of-storage"])
def test_a_region_that_leads_out_of_the_storage_is_refused_by_every_command(
    sound: Path, tmp_path: Path, command: str, region: str
):
    path = rewritten(sound, tmp_path / "p.arrow", lambda metadata, columns: metadata.update(region=region))
    storage = () if command == "inspect" else ("--storage", tmp_path / "deep" / "er" / "runs")
    assert_one_line_error(skin_tune_here(command, path, *storage), "p.arrow", "is not one plain name")
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.arrow"]
    assert not Path("/tmp/outside-of-storage").exists()


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_hangs_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.arrow")
    assert "is not a regular file" in refusal(tmp_path / "pipe.arrow")
    assert "is not a regular file" in refusal(Path("/dev/zero"))
    assert "is not a regular file" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / ("n" * 300))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    ["region", "classes", "size", "split_seed", "split_ratios", "counts", "pack_id", "ordinal", "format_version"]
)
of_a_column = st.sampled_from(
    [
        pa.nulls(12),
        pa.array([None, *[0] * 11], pa.int16()),
        pa.array(range(12), pa.int16()),
        pa.array([2**40] * 12),
        pa.array([b"\xff"] * 12),
        pa.array(["train"] * 12),
        pa.array(["train"] * 12).dictionary_encode(),
        pa.array([["train"]] * 12),
        pa.array([{"a": 1}] * 12),
        images(SIZE, SIZE, 3),
        images(1),
    ]
)
columns = st.sampled_from(["image", "label", "subject", "split", "source", "age", "gender", "new"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.dictionaries(names, anything, max_size=3), put=st.dictionaries(columns, of_a_column, max_size=2))
@example(changed={"size": float("inf")}, put={})
@example(changed={"counts": {"train": {"0": float("nan")}, "val": {}, "test": {}}}, put={})
def test_nothing_but_a_skin_tune_error_leaves_open_pack(
    sound: Path, tmp_path: Path, changed: dict[str, Any], put: Columns
):
    def change(metadata: dict[str, Any], columns: Columns) -> None:
        metadata.update(changed)
        columns.update(put)

    path = rewritten(sound, tmp_path / "p.arrow", change)
    try:
        pack = open_pack(path)
    except SkinTuneError:
        return
    assert pack.images.shape == (12, SIZE, SIZE, 3)
    assert pack.labels.max() < len(pack.classes)
    assert pack.class_counts("train").tolist() == list(pack.info.counts["train"].values())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_but_a_skin_tune_error_leaves_a_damaged_file(sound: Path, tmp_path: Path, data: st.DataObject):
    content = bytearray(sound.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "p.arrow").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        open_pack(tmp_path / "p.arrow")
    except SkinTuneError:
        return
