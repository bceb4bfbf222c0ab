"""Paths in a bucket, against a real S3 server."""

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skin_tune.errors import StoreError
from skin_tune.storage.bucket import BucketPath
from skin_tune.storage.files import atomic_write, location, remove_tree
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import Bucket, forget_buckets


def test_a_path_in_a_bucket_reads_and_writes_as_one_on_disk(bucket: Bucket):
    paths = RunPaths(location(f"{bucket.url}/runs"))
    file = paths.spec("lip_dryness", "first")
    assert not file.exists()
    assert not file.is_file()
    with atomic_write(file) as temporary:
        temporary.write_text("asked")
        assert not file.exists()
    assert (file.read_text(), file.is_file(), file.parent.is_dir()) == ("asked", True, True)
    assert pickle.loads(pickle.dumps(file)).read_text() == "asked"
    last = paths.checkpoints("lip_dryness", "first", "first-000") / "last.pt"
    with atomic_write(last) as temporary:
        temporary.write_bytes(b"state")
    assert paths.resumable("lip_dryness", "first") == {"first-000"}
    assert paths.resumable("lip_dryness", "second") == set()
    remove_tree(last.parent)
    assert not last.exists()
    file.unlink()
    file.unlink(missing_ok=True)
    assert not file.parent.exists()


def test_what_fails_while_it_is_written_never_appears(bucket: Bucket):
    file = location(f"{bucket.url}/half")
    with pytest.raises(UnicodeEncodeError), atomic_write(file) as temporary:
        temporary.write_text("half\udc80", encoding="utf-8")
    assert not file.exists()


def test_a_server_that_fails_for_a_while_is_waited_for(bucket: Bucket):
    file = location(f"{bucket.url}/name")
    bucket.outage.touch()
    threading.Timer(4, bucket.outage.unlink).start()
    started = time.monotonic()
    with atomic_write(file) as temporary:
        temporary.write_text("kept")
    assert time.monotonic() - started > 3
    assert file.read_text() == "kept"


def test_a_server_that_fails_is_not_taken_for_one_that_has_no_such_file(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
):
    from skin_tune.storage import bucket as module

    monkeypatch.setattr(module.BucketFileSystem.__init__, "__kwdefaults__", {"attempts": 2})
    forget_buckets()
    bucket.outage.touch()
    file = location(f"{bucket.url}/name")
    for question in (file.exists, file.is_file, file.is_dir, file.read_bytes):
        with pytest.raises(OSError):  # noqa: PT011  whatever the server says
            question()


def test_threads_share_their_connections(bucket: Bucket):
    with ThreadPoolExecutor(4) as threads:
        systems = list(threads.map(lambda number: BucketPath(f"{bucket.url}/{number}").fs, range(8)))
    assert all(system is systems[0] for system in systems)


def test_only_one_of_two_writers_finds_nothing_there(bucket: Bucket):
    file = BucketPath(f"{bucket.url}/lock")
    first = file.write_if(b"one", None)
    with pytest.raises(FileExistsError):
        file.write_if(b"two", None)
    second = file.write_if(b"three", first)
    with pytest.raises(FileExistsError):
        file.write_if(b"four", first)
    assert file.read_bytes() == b"three"
    etag, age = file.version()
    assert etag == second
    assert 0 <= age < 60


@pytest.mark.parametrize("url", ["gs://lab/runs", "s3://", "s3:///runs"])
def test_other_urls_are_refused(url: str):
    with pytest.raises(StoreError, match="s3://bucket/name"):
        location(url)


def test_a_bucket_that_cannot_be_used_is_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert_one_line_error(skin_tune_here("trials", "--storage", "s3://nowhere/runs"), "s3://nowhere/runs", "no bucket")
    assert_one_line_error(
        skin_tune_here("trials", "--storage", f"{bucket.url}/runs"), f"{bucket.url}/runs", "no results"
    )
    assert_one_line_error(skin_tune_here("inspect", f"{bucket.url}/none.arrow"), "none.arrow", "does not exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_buckets()
    assert_one_line_error(skin_tune_here("trials", "--storage", bucket.url), bucket.url, "cannot be reached")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    forget_buckets()
    assert_one_line_error(skin_tune_here("trials", "--storage", bucket.url), "Invalid endpoint: nonsense")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    forget_buckets()
    assert_one_line_error(skin_tune_here("trials", "--storage", bucket.url), "credentials")
