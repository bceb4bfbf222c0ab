import atexit
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.data.pack.layout.info import PackInfo, content_id, image_digest
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.data.pack.writer import PackRows, write_pack
from skin_tune.storage.files import Location, location

# A shell starts background jobs deaf to Ctrl-C, nohup all to SIGHUP; the commands that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Clusters that tests start side by side, and one that may run on the machine, are not to find each other.
os.environ.pop("RAY_ADDRESS", None)
os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-")  # short: Ray's sockets lie below it
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["REPORTER_UPDATE_INTERVAL_MS"] = "60000"  # how often each node counts what its processes use
atexit.register(shutil.rmtree, os.environ["RAY_TMPDIR"], ignore_errors=True)

# How long an example takes depends on what else runs.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

PackMaker = Callable[..., Pack]


def write_synthetic_pack(
    path: Path,
    counts: Mapping[str, Sequence[int]] | None = None,
    *,
    size: int = 32,
    region: str = "lip_dryness",
    seed: int = 0,
    pack_id: str | None = None,
    classes: Sequence[str] = (),
    ordinal: bool = True,
    about: Mapping[str, Sequence[Any]] | None = None,
) -> Pack:
    """A pack whose images grow brighter with their grade; `counts` gives images per split and grade.

    It claims to be `pack_id`, or what its content is. Without `classes` they are 0, 1, ...; `about` are columns of
    `data.pack.ABOUT`, repeated over the rows.
    """
    counts = counts or {"train": (24, 12, 6), "val": (8, 6, 4), "test": (8, 6, 4)}
    about = about or {}
    rng = np.random.default_rng(seed)
    classes = list(classes) or [str(grade) for grade in range(len(counts["train"]))]
    labels, split = [], []
    for code, name in enumerate(SPLITS):
        for grade, count in enumerate(counts[name]):
            labels += [grade] * count
            split += [code] * count
    level = 40 + 160 * np.array(labels) / max(len(classes) - 1, 1)
    images = rng.normal(level[:, None, None, None], 25, (len(labels), size, size, 3)).clip(0, 255).astype(np.uint8)
    names = [f"s{row:04d}" for row in range(len(labels))]
    digests = [image_digest(image.data) for image in images]
    info = PackInfo(
        region=region,
        classes=classes,
        size=size,
        split_seed=0,
        split_ratios=[60, 20, 20],
        counts={name: dict(zip(classes, map(int, counts[name]), strict=True)) for name in SPLITS},
        pack_id=pack_id or content_id(region, classes, size, digests, labels, split, names, ordinal),
        ordinal=ordinal,
    )
    described = {name: [values[row % len(values)] for row in range(len(labels))] for name, values in about.items()}
    rows = PackRows(np.array(labels, np.int16), np.array(split, np.int8), names, names, described)
    write_pack(path, images, rows, info)
    return open_pack(path)


@pytest.fixture
def make_pack(tmp_path: Path) -> PackMaker:
    """Write a synthetic pack below `tmp_path` and open it."""

    def make(counts: Mapping[str, Sequence[int]] | None = None, *, name: str = "synthetic", **options: Any) -> Pack:
        return write_synthetic_pack(tmp_path / f"{name}.arrow", counts, **options)

    return make


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server that fails while the file `outage` exists."""

    url: str
    outage: Path

    @property
    def path(self) -> Location:
        return location(self.url)


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The endpoint of an S3 server, and the file whose existence makes it fail."""
    outage = tmp_path_factory.mktemp("server") / "outage"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bucket_server", str(outage)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdout is not None
    port = server.stdout.readline().decode().strip()
    yield f"http://127.0.0.1:{port}", outage
    server.kill()
    server.wait()


def forget_buckets() -> None:
    """Have the environment asked again where buckets are."""
    from skin_tune.storage.bucket import BucketFileSystem, file_system

    BucketFileSystem.clear_instance_cache()
    file_system.cache_clear()


_BUCKETS = (f"lab-{number}" for number in itertools.count())


@pytest.fixture
def bucket(bucket_server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket, found by the environment as a lab's own would be."""
    from skin_tune.storage.bucket import BucketFileSystem

    forget_buckets()
    endpoint, outage = bucket_server
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("SKIN_TUNE_CACHE", str(tmp_path / "cache"))
    name = next(_BUCKETS)
    BucketFileSystem().call_s3("create_bucket", Bucket=name)
    yield Bucket(f"s3://{name}", outage)
    outage.unlink(missing_ok=True)
    forget_buckets()
