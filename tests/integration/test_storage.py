"""A storage that runs full while an experiment runs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from skin_tune.results import load_trials
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker

SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-5, max: 1.0e-3}
  epochs: {value: 3}
"""
SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=42", "oversample=none")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds one model of a ResNet-18, and not what is needed to go on from it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only a user who may mount can test a full disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.usefixtures("shared_cluster")
def test_a_full_disk_ends_the_run_in_one_line_and_with_room_made_it_goes_on(small_disk: Path, make_pack: PackMaker):
    (small_disk / "space.yaml").write_text(SPACE)
    where = ("--space", small_disk / "space.yaml", "--storage", small_disk / "runs", *ONE_PROCESS)
    done = skin_tune_here("tune", make_pack().path, *SMALL, *where, "--name", "full", "--trials", 3)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]  # after the lines of progress
    assert last.startswith("error: cannot write to")
    assert last.endswith("No space left on device")
    assert set(load_trials(small_disk / "runs")["status"]) <= {"running", "completed"}

    subprocess.run(["mount", "-o", "remount,size=2G", small_disk], check=True)
    resumed = skin_tune_here("tune", make_pack().path, *SMALL, *where, "--name", "full", "--trials", 3, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    trials = load_trials(small_disk / "runs")
    assert trials["status"].tolist() == ["completed"] * 3
    assert trials["error"].isna().all()


def test_a_storage_that_cannot_be_written_is_refused_in_one_line(small_disk: Path, make_pack: PackMaker):
    (small_disk / "space.yaml").write_text(SPACE)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    pack, where = make_pack().path, ("--storage", small_disk / "runs", "--name", "ro")
    for command in (("tune", pack, "--space", small_disk / "space.yaml"), ("train", pack, "epochs=1")):
        assert_one_line_error(skin_tune_here(*command, *SMALL, *where), "cannot write to", "Read-only file system")
