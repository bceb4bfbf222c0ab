"""A pack that changes under whoever has it open."""

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.errors import PackChangedError, PackError
from skin_tune.storage.files import location, upload
from tests.conftest import Bucket, PackMaker
from tests.local import local


def flipped(pack: Pack) -> bytes:
    """The bytes of a pack with one pixel changed: its metadata still claim the same `pack_id`."""
    content = bytearray(pack.path.read_bytes())
    content[content.index(np.asarray(pack.images).tobytes()) + 5] ^= 255
    return bytes(content)


def write_in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def test_a_pack_that_is_left_alone_passes(make_pack: PackMaker):
    pack = make_pack()
    pack.verify()
    pack.check()
    os.utime(local(pack.path), ns=(0, pack.path.stat().st_mtime_ns))  # read by somebody
    pack.check()


@pytest.mark.parametrize("cut", [0, 1000])
def test_one_that_is_overwritten_in_place_has_changed(cut: int, make_pack: PackMaker):
    pack = make_pack()
    content = flipped(pack)
    write_in_place(local(pack.path), content[: len(content) - cut])
    with pytest.raises(PackChangedError, match=r"the pack has changed: '.*' was written to while it was in use"):
        pack.check()


def test_copying_another_over_it_is_noticed_and_renaming_the_same_over_it_is_none(make_pack: PackMaker):
    pack, same, other = make_pack(), make_pack(name="same"), make_pack(name="other", seed=1)
    same.path.replace(local(pack.path))  # as `prepare` does
    pack.check()
    other.path.replace(local(pack.path))
    with pytest.raises(PackChangedError, match=f"the pack has changed: .* is {other.info.pack_id}"):
        pack.check()
    pack.path.unlink()
    pack.check()  # what is mapped lives on
    pack.path.write_bytes(b"something else")
    with pytest.raises(PackChangedError, match="is no pack, and"):
        pack.check()


def test_shutil_copy_over_an_open_pack_is_noticed(make_pack: PackMaker):
    pack, other = make_pack(), make_pack(name="other", seed=1)
    shutil.copy2(local(other.path), local(pack.path))
    with pytest.raises(PackChangedError):
        pack.check()


def test_content_that_is_not_what_the_metadata_claim_is_found_in_the_background(make_pack: PackMaker):
    path = make_pack().path
    write_in_place(local(path), flipped(open_pack(path)))
    changed = open_pack(path, open_pack(path).info.pack_id)
    changed.check()
    changed.verify()
    with pytest.raises(PackChangedError, match="claims to be"):
        changed.check()


def test_a_run_has_its_pack_hashed_once_on_a_machine(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))
    path = make_pack().path
    hashed: list[str] = []

    def verify(run: str) -> None:
        pack = open_pack(path)

        def content() -> str:
            hashed.append(run)
            return pack.info.pack_id

        pack.file.verify(pack.info.pack_id, content, run)
        pack.check()

    for run in ("a", "a", "b", "a"):
        verify(run)
    assert hashed == ["a", "b"]
    os.utime(local(path))  # who touched it may have changed it
    verify("a")
    assert hashed == ["a", "b", "a"]


def test_where_nothing_can_be_noted_it_is_hashed_each_time(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))
    pack = make_pack(pack_id="0" * 32)
    pack.verify("run")
    with pytest.raises(PackChangedError, match="claims to be 0000"):
        pack.check()


def test_opening_tells_a_damaged_pack_from_the_one_that_was_expected(make_pack: PackMaker):
    pack = make_pack()
    write_in_place(local(pack.path), pack.path.read_bytes()[:500])
    with pytest.raises(PackChangedError, match="is no pack, and"):
        open_pack(pack.path, pack.info.pack_id)


def test_one_that_was_cut_short_anywhere_is_refused_in_one_line(make_pack: PackMaker):
    path = make_pack().path
    content = path.read_bytes()
    for length in (*range(0, len(content), 997), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(PackError, match=r"is not a pack[:;] [^\n]*make one with skin-tune prepare$"):
            open_pack(path)
        path.write_bytes(content[:length].ljust(len(content), b"\0"))  # as a copy that was broken off leaves it
        with pytest.raises(PackError, match=r"is not a pack[:;] [^\n]*make one with skin-tune prepare$"):
            open_pack(path)


def test_a_cut_between_two_batches_is_met_before_the_next_one_is_read(make_pack: PackMaker):
    pack = make_pack()
    batches = prefetched(pack.images, list(pack.indices("train").reshape(-1, 6)), torch.device("cpu"), pack.file.check)
    next(batches)
    write_in_place(local(pack.path), pack.path.read_bytes()[:500])
    with pytest.raises(PackChangedError, match="was written to while it was in use"):
        next(batches)


def test_a_pickled_pack_is_opened_again_and_holds_no_pixels(make_pack: PackMaker):
    pack = make_pack()
    pickled = pickle.dumps(pack)
    assert len(pickled) < 1000 < pack.images.nbytes
    np.testing.assert_array_equal(pickle.loads(pickled).images, pack.images)


def test_a_copy_of_a_buckets_pack_is_watched_too(make_pack: PackMaker, bucket: Bucket, tmp_path: Path):
    made = make_pack()
    there = location(f"{bucket.url}/pack.arrow")
    upload(local(made.path), there)
    pack = open_pack(there)
    pack.verify("run")
    pack.check()
    (copy,) = [path for path in (tmp_path / "cache" / "packs").iterdir() if not path.suffix]
    write_in_place(copy, flipped(made))
    with pytest.raises(PackChangedError, match="s3://"):
        pack.check()
