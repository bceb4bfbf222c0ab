"""Packs of a bucket are fetched once to a node, and never trusted unseen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skin_tune.data.pack.format import open_pack
from skin_tune.errors import EnvironmentVariableError, PackError
from skin_tune.storage.files import Location, location, upload
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket, PackMaker
from tests.local import local


@pytest.fixture
def put(bucket: Bucket, make_pack: PackMaker) -> Callable[..., Location]:
    """Bring a synthetic pack to the bucket; what is returned is its path there."""

    def to_bucket(name: str = "pack", **options: object) -> Location:
        there = location(f"{bucket.url}/packs/{name}.arrow")
        upload(local(make_pack(name=name, **options).path), there)
        return there

    return to_bucket


def test_a_pack_in_a_bucket_opens_as_one_on_disk(put: Callable[..., Location], make_pack: PackMaker):
    local, opened = make_pack(), open_pack(put())
    assert opened.info == local.info
    np.testing.assert_array_equal(opened.images, local.images)
    np.testing.assert_array_equal(opened.subjects, local.subjects)
    assert str(opened.path).startswith("s3://")
    assert not np.asarray(opened.images).flags.owndata  # it is mapped, not read


def test_it_is_fetched_once(put: Callable[..., Location], bucket: Bucket):
    there = put()
    pack_id = open_pack(there).info.pack_id
    bucket.outage.touch()
    assert open_pack(there, pack_id).info.pack_id == pack_id


def test_a_copy_that_was_touched_is_fetched_again(put: Callable[..., Location], tmp_path: Path):
    there = put()
    first = open_pack(there)
    (copy,) = [path for path in (tmp_path / "cache" / "packs").iterdir() if not path.suffix]
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 255
    copy.write_bytes(content)
    np.testing.assert_array_equal(open_pack(there).images, open_pack(there, first.info.pack_id).images)
    assert copy.read_bytes() != bytes(content)


def test_a_pack_that_was_damaged_on_its_way_is_refused(put: Callable[..., Location]):
    there = put()
    content = bytearray(there.read_bytes())
    content[len(content) // 2] ^= 255
    there.write_bytes(bytes(content))
    with pytest.raises(PackError, match="damaged"):
        open_pack(there)


def test_another_pack_of_the_same_name_is_not_taken_for_it(put: Callable[..., Location]):
    there = put()
    first = open_pack(there).info.pack_id
    second = open_pack(put(seed=1))
    assert second.info.pack_id != first
    assert open_pack(there).info.pack_id == second.info.pack_id
    with pytest.raises(PackError, match="damaged"):
        open_pack(there, "0" * 32)


def test_what_is_no_pack_is_refused(bucket: Bucket):
    there = location(f"{bucket.url}/text.arrow")
    there.write_bytes(b"no pack at all, but long enough to be read as one")
    with pytest.raises(PackError, match="not a pack"):
        open_pack(there)


def test_copies_used_longest_ago_make_room(
    put: Callable[..., Location], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    packs = [put(f"pack{seed}", seed=seed) for seed in range(3)]
    size = (tmp_path / "pack0.arrow").stat().st_size
    monkeypatch.setenv("SKIN_TUNE_CACHE_GB", str(2.5 * size / 1e9))
    first, second = open_pack(packs[0]), open_pack(packs[1])
    open_pack(packs[0])
    third = open_pack(packs[2])
    kept = {path.name for path in (tmp_path / "cache" / "packs").iterdir() if not path.suffix}
    assert kept == {first.info.pack_id, third.info.pack_id}
    assert np.asarray(second.images).sum() > 0  # who has it mapped can go on
    np.testing.assert_array_equal(open_pack(packs[1]).images, second.images)


def test_a_pack_that_is_replaced_while_it_is_read_is_read_again(
    put: Callable[..., Location], monkeypatch: pytest.MonkeyPatch
):
    there = put()
    opened: list[Location] = []
    really_open = type(there).open

    def replaced_once_open(self: Location, *arguments: object, **options: object) -> object:
        file = really_open(self, *arguments, **options)
        opened.append(self)
        if len(opened) == 1:
            put(seed=1)  # another version of the object, which the open file is not of
        return file

    monkeypatch.setattr(type(there), "open", replaced_once_open)
    assert open_pack(there).info.pack_id == open_pack(put("other", seed=1)).info.pack_id
    assert opened.count(there) > 1


@pytest.mark.parametrize("value", ["abc", "nan", "-1", "1GB", "\x1b[31m"])
def test_the_size_of_the_cache_is_a_number(
    value: str, bucket: Bucket, make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch
):
    there = location(f"{bucket.url}/pack.arrow")
    upload(local(make_pack().path), there)
    monkeypatch.setenv("SKIN_TUNE_CACHE_GB", value)
    with pytest.raises(EnvironmentVariableError, match=r"SKIN_TUNE_CACHE_GB=.* is not a number of gigabytes"):
        open_pack(there)
    assert_one_line_error(skin_tune_here("inspect", there), "SKIN_TUNE_CACHE_GB")
    for fine in ("0", "inf", "0.5", ""):
        monkeypatch.setenv("SKIN_TUNE_CACHE_GB", fine)
        assert len(open_pack(there).labels)
