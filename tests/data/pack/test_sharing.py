"""Packs that share a file of crops hold what they would hold alone; what does not fit together is told in one line."""

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skin_tune.data.pack.format import Pack, content_of, open_pack
from skin_tune.errors import PackChangedError, PackError, SkinTuneError
from tests.conftest import PackMaker, write_synthetic_pack
from tests.data.pack.sharing import crops_beside, share, write_crops

SIZE = 16
COUNTS = {"train": (3, 2, 1), "val": (1, 1, 1), "test": (1, 1, 1)}
Shared = Callable[[], Path]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[Pack]:
    """Packs of two regions, which have half of their images in common."""
    folder = tmp_path_factory.mktemp("alone")
    return [
        write_synthetic_pack(folder / "a.arrow", COUNTS, size=SIZE, region="a"),
        write_synthetic_pack(folder / "b.arrow", {**COUNTS, "test": (3, 2, 1)}, size=SIZE, region="b"),
    ]


@pytest.fixture
def packs(alone: list[Pack], tmp_path: Path) -> list[Path]:
    return share(tmp_path / "packs", *alone)


def refusal(path: Path, crops: Path | None = None) -> str:
    """The one line in which a pack is refused; it names the pack and, if given, its crops."""
    with pytest.raises(PackError) as caught:
        open_pack(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    if crops is not None:
        assert f"pack {str(path)!r} needs {crops.name!r} beside it" in message
        assert "copy both files, or prepare it again" in message
    return message


def test_each_is_what_it_is_alone(alone: list[Pack], packs: list[Path]):
    for before, path in zip(alone, packs, strict=True):
        pack = open_pack(path)
        assert pack.info.pack_id == before.info.pack_id == content_of(pack)
        np.testing.assert_array_equal(pack.images, before.images)
        np.testing.assert_array_equal(pack.labels, before.labels)
        np.testing.assert_array_equal(pack.subjects, before.subjects)
        np.testing.assert_array_equal(pack.split, before.split)
        pack.verify()
        pack.check()


def test_a_crop_that_both_have_is_there_once(alone: list[Pack], packs: list[Path]):
    crops = pa.ipc.open_file(pa.memory_map(str(crops_beside(packs[0])))).read_all()
    assert crops.column_names == ["image", "digest"]
    distinct = {image.tobytes() for pack in alone for image in pack.images}
    assert len(crops) == len(distinct) < sum(len(pack.labels) for pack in alone)
    images = crops.column("image").chunk(0).to_numpy_ndarray()
    for path, pack in zip(packs, alone, strict=True):
        rows = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        assert rows.column_names[:2] == ["crop", "label"]
        np.testing.assert_array_equal(images[rows.column("crop").to_numpy()], pack.images)
        assert path.stat().st_size < 10_000


def test_a_pickled_one_is_opened_again(packs: list[Path]):
    pack = open_pack(packs[0])
    pickled = pickle.dumps(pack)
    assert len(pickled) < 1000
    np.testing.assert_array_equal(pickle.loads(pickled).images, pack.images)


def test_both_files_may_be_moved_together_and_the_pack_linked_to_or_renamed(packs: list[Path], tmp_path: Path):
    elsewhere = packs[0].parent.rename(tmp_path / "elsewhere")
    (tmp_path / "link.arrow").symlink_to(elsewhere / packs[0].name)
    (elsewhere / packs[1].name).rename(elsewhere / "renamed.arrow")
    assert open_pack(tmp_path / "link.arrow").info.region == "a"
    assert open_pack(elsewhere / "renamed.arrow").info.region == "b"


def test_a_pack_without_its_crops_says_which_file_is_missing(packs: list[Path]):
    crops = crops_beside(packs[0])
    pack_id = open_pack(packs[0]).info.pack_id
    crops.unlink()
    assert "and there is no such file" in refusal(packs[0], crops)
    with pytest.raises(PackChangedError, match=r"the pack has changed: .* and there is no such file"):
        open_pack(packs[0], pack_id)
    crops.mkdir()
    assert "and there is no such file" in refusal(packs[0], crops)


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_crops_hangs_nothing(packs: list[Path]):
    crops = crops_beside(packs[0])
    crops.unlink()
    os.mkfifo(crops)
    assert "and there is no such file" in refusal(packs[0], crops)


def test_crops_of_another_preparation_are_not_taken(alone: list[Pack], packs: list[Path], tmp_path: Path):
    crops = crops_beside(packs[0])
    other = crops_beside(share(tmp_path / "other", alone[1])[0])
    shutil.copyfile(other, crops)
    assert "it holds other crops" in refusal(packs[0], crops)


def test_crops_of_another_size_are_not_taken(packs: list[Path]):
    crops = crops_beside(packs[0])
    crops_id = write_crops(crops, np.zeros((20, 32, 32, 3), np.uint8))
    rewrite(packs[0], lambda metadata, columns: metadata["crops"].update(crops_id=crops_id))
    assert "it has crops of 32 px in place of 16" in refusal(packs[0], crops)


def test_crops_that_were_cut_short_or_are_something_else_are_refused(packs: list[Path], alone: list[Pack]):
    crops = crops_beside(packs[0])
    whole = crops.read_bytes()
    for length in range(0, len(whole), 997):
        crops.write_bytes(whole[:length])
        assert "it holds no crops" in refusal(packs[0], crops)
        crops.write_bytes(whole[:length].ljust(len(whole), b"\0"))
        assert "it holds no crops" in refusal(packs[0], crops)
    crops.write_bytes(alone[0].path.read_bytes())
    assert "it does not say that it holds crops" in refusal(packs[0], crops)


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, pa.Array]], object], **how: Any) -> None:
    """Write an Arrow file again with other metadata or columns."""
    batch = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).get_batch(0)
    columns = {name: batch.column(name) for name in batch.schema.names}
    metadata = json.loads(batch.schema.metadata[b"skin_tune"])
    change(metadata, columns)
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    schema = pa.schema(fields, metadata={b"skin_tune": json.dumps(metadata).encode()})
    options = pa.ipc.IpcWriteOptions(compression=how.get("compression"))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema, options=options) as out:
        for _ in range(how.get("batches", 1)):
            out.write_batch(pa.record_batch(list(columns.values()), schema=schema))


def unchanged(metadata: dict[str, Any], columns: dict[str, pa.Array]) -> None:
    """As it was."""


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        (lambda metadata, _: metadata.update(kind="pack"), {}, "it does not say that it holds crops"),
        (lambda metadata, _: metadata.update(format_version=2), {}, "it has format version 2, this program reads 1"),
        (lambda metadata, _: metadata.update(format_version=[1]), {}, "it has format version [1]"),
        (lambda metadata, _: metadata.update(size="16"), {}, "size '16' is not a whole number"),
        (lambda metadata, _: metadata.update(size=32), {}, "images are of shape [16, 16, 3], and its size 32"),
        (lambda metadata, _: metadata.update(crops_id="../x"), {}, "crops_id '../x'"),
        (lambda _, columns: columns.pop("image"), {}, "it has no column image"),
        (lambda _, columns: columns.pop("digest"), {}, "it has no column digest"),
        (lambda _, columns: columns.update(digest=columns["digest"].cast(pa.binary())), {}, "is of type binary"),
        (unchanged, {"batches": 2}, "it has 2 record batches"),
        (unchanged, {"batches": 0}, "it is empty"),
        (unchanged, {"compression": "zstd"}, "compressed or missing"),
    ],
)
def test_crops_are_what_they_say_of_themselves(packs: list[Path], change: Any, how: dict[str, Any], said: str):
    def blank(metadata: dict[str, Any], columns: dict[str, pa.Array]) -> None:
        black = np.zeros((len(columns["digest"]), SIZE, SIZE, 3), np.uint8)  # which compresses well
        columns["image"] = pa.FixedShapeTensorArray.from_numpy_ndarray(black)
        change(metadata, columns)

    rewrite(crops_beside(packs[0]), blank, **how)
    assert said in refusal(packs[0], crops_beside(packs[0]))


@pytest.mark.parametrize(
    ("crops", "said"),
    [
        (None, "crops None are not the name of a file and its id"),
        ("x.crops", "crops 'x.crops' are not the name of a file"),
        ({"crops_id": "a"}, "crops file None is not the bare name of a file *.crops"),
        ({"file": "../x.crops", "crops_id": "a"}, "crops file '../x.crops' is not the bare name"),
        ({"file": "..", "crops_id": "a"}, "crops file '..'"),
        ({"file": "/etc/x.crops", "crops_id": "a"}, "crops file '/etc/x.crops'"),
        ({"file": "a\\x.crops", "crops_id": "a"}, "crops file"),
        ({"file": ".x.crops", "crops_id": "a"}, "crops file '.x.crops'"),
        ({"file": "passwd", "crops_id": "a"}, "crops file 'passwd'"),
        ({"file": "\x1b[31m.crops", "crops_id": "a"}, r"crops file '\x1b[31m.crops'"),
        ({"file": "\ud800.crops", "crops_id": "a"}, "crops file"),
        ({"file": "x" * 250 + ".crops", "crops_id": "a"}, "crops file"),
        ({"file": ["x.crops"], "crops_id": "a"}, "crops file ['x.crops']"),
        ({"file": "x.crops"}, "crops_id None"),
        ({"file": "x.crops", "crops_id": "../x"}, "crops_id '../x' is not of at most 64 letters and digits"),
    ],
)
def test_a_pack_names_a_file_beside_it(packs: list[Path], crops: Any, said: str):
    rewrite(packs[0], lambda metadata, columns: metadata.update(crops=crops))
    assert said in refusal(packs[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda columns: put(columns, -1), "column crop holds -1, and there are 17 crops"),
        (lambda columns: put(columns, 17), "column crop holds 17, and there are 17 crops"),
        (lambda columns: put(columns, 2**31 - 1), "column crop holds 2147483647"),
        (lambda columns: put(columns, None), "column crop lacks 1 of its 12 values"),
        (lambda columns: columns.pop("crop"), "it has no column crop"),
        (lambda columns: columns.update(crop=columns["crop"].cast(pa.int64())), "column crop is of type int64"),
        (lambda columns: columns.update(crop=columns["crop"].cast(pa.string())), "column crop is of type string"),
    ],
)
def test_each_row_has_one_of_the_crops(packs: list[Path], change: Callable[[dict[str, pa.Array]], object], said: str):
    rewrite(packs[0], lambda metadata, columns: change(columns))
    assert said in refusal(packs[0])


def put(columns: dict[str, pa.Array], crop: int | None) -> None:
    columns["crop"] = pa.array([crop, *columns["crop"].to_pylist()[1:]], pa.int32())


def test_rows_that_are_compressed_are_refused(packs: list[Path]):
    def many(metadata: dict[str, Any], columns: dict[str, pa.Array]) -> None:
        for name, column in columns.items():
            columns[name] = pa.array(["" if column.type == pa.string() else 0] * 100_000, column.type)

    rewrite(packs[0], many, compression="zstd")
    assert "compressed or missing" in refusal(packs[0])


def test_a_file_of_crops_is_no_pack(packs: list[Path]):
    assert "it holds the crops of the packs beside it" in refusal(crops_beside(packs[0]))


def test_what_a_pack_of_an_older_version_says_of_crops_is_not_looked_at(alone: list[Pack], tmp_path: Path):
    shutil.copyfile(str(alone[0].path), tmp_path / "a.arrow")
    rewrite(tmp_path / "a.arrow", lambda metadata, columns: metadata.update(crops={"file": "../x.crops"}))
    assert open_pack(tmp_path / "a.arrow").info == alone[0].info


@pytest.mark.parametrize("cut", [0, 1000])
def test_crops_that_are_written_to_while_in_use_are_noticed(packs: list[Path], cut: int):
    pack, crops = open_pack(packs[0]), crops_beside(packs[0])
    content = crops.read_bytes()
    with crops.open("r+b") as file:
        file.write(content[: len(content) - cut])
        file.truncate()
    with pytest.raises(PackChangedError, match=f"{re.escape(crops.name)}' was written to while it was in use"):
        pack.check()


def test_crops_put_in_the_place_of_the_same_ones_change_nothing(packs: list[Path], tmp_path: Path):
    pack, crops = open_pack(packs[0]), crops_beside(packs[0])
    shutil.copyfile(crops, tmp_path / "same")
    (tmp_path / "same").replace(crops)
    pack.check()
    crops.unlink()
    pack.check()  # what is mapped lives on
    assert np.asarray(pack.images).any()


def test_a_changed_pixel_is_found_in_the_background(alone: list[Pack], packs: list[Path]):
    crops = crops_beside(packs[0])
    content = bytearray(crops.read_bytes())
    content[content.index(alone[0].images[0].tobytes()) + 5] ^= 255
    crops.write_bytes(content)
    changed = open_pack(packs[0])
    changed.verify()
    with pytest.raises(PackChangedError, match="claims to be"):
        changed.check()


def test_a_run_hashes_again_what_lies_in_changed_crops(
    packs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))
    hashed: list[str] = []

    def verify() -> None:
        pack = open_pack(packs[0])

        def content() -> str:
            hashed.append(pack.info.pack_id)
            return pack.info.pack_id

        pack.file.verify(pack.info.pack_id, content, "run")
        pack.check()

    verify()
    verify()
    assert len(hashed) == 1
    os.utime(crops_beside(packs[0]))
    verify()
    assert len(hashed) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(["pack", "crops"]),
    changed=st.dictionaries(
        st.sampled_from(["crops", "kind", "size", "crops_id", "format_version", "pack_id"]), anything, max_size=3
    ),
    put=st.dictionaries(
        st.sampled_from(["crop", "image", "digest", "label"]),
        st.sampled_from([pa.nulls(12), pa.array(range(12), pa.int32()), pa.array([b"x"] * 12, pa.binary(1))]),
        max_size=2,
    ),
)
@example(file="pack", changed={"crops": {"file": float("nan")}}, put={})
def test_nothing_but_a_skin_tune_error_leaves_open_pack(
    alone: list[Pack], tmp_path: Path, file: str, changed: dict[str, Any], put: dict[str, pa.Array]
):
    path, *_ = share(tmp_path / "packs", alone[0])
    rewrite(
        path if file == "pack" else crops_beside(path),
        lambda metadata, columns: (metadata.update(changed), columns.update(put)),
    )
    try:
        pack = open_pack(path)
    except SkinTuneError:
        return
    assert np.asarray(pack.images).shape == (12, SIZE, SIZE, 3)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(["pack", "crops"]), data=st.data())
def test_nothing_but_a_skin_tune_error_leaves_a_damaged_file(
    alone: list[Pack], tmp_path: Path, file: str, data: st.DataObject
):
    path, *_ = share(tmp_path / "packs", alone[0])
    damaged = path if file == "pack" else crops_beside(path)
    content = bytearray(damaged.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pack = open_pack(path)
    except SkinTuneError:
        return
    assert np.asarray(pack.images).shape == (12, SIZE, SIZE, 3)


def test_it_is_written_and_opened_by_the_names_of_its_regions(make_pack: PackMaker, tmp_path: Path):
    paths = share(tmp_path / "both", make_pack(region="skin"), make_pack(name="other", region="face"))
    assert re.fullmatch(r"face_and_skin-32-[0-9a-f]{8}\.crops", crops_beside(paths[0]).name)
