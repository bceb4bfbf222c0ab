"""A pack that is overwritten in place under a run ends it in one line: no number comes from it."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from skin_tune.data.pack.format import Pack
from skin_tune.results import load_epochs, load_trials
from skin_tune.storage.run_paths import RunPaths
from tests.cli_runner import ONE_PROCESS, assert_one_line_error, skin_tune_here, without_progress
from tests.conftest import write_synthetic_pack
from tests.integration.processes import begin, checkpoint_of, finished, run_beside, wait_until
from tests.local import local

SPACE = """
method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-2}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 70}
  oversample: {value: none}
  epochs: {value: 300}
"""
COUNTS = {"train": (40, 20, 10), "val": (8, 6, 4), "test": (8, 6, 4)}
SMALL = ("backbone=resnet18", "weights=none", "image_size=32", "batch_size=70", "oversample=none", "epochs=300")


def flipped(pack: Pack) -> bytes:
    """The content of a pack with other pixels, which claims to be the same pack."""
    content = bytearray(pack.path.read_bytes())
    pixels = np.asarray(pack.images)
    start = content.index(pixels.tobytes())
    content[start : start + pixels.nbytes] = (255 - pixels).tobytes()
    return bytes(content)


def overwrite(pack: Pack, how: str) -> None:
    if how == "cp":
        other = write_synthetic_pack(local(pack.path.with_name("other.arrow")), COUNTS, seed=1)
        shutil.copyfile(local(other.path), local(pack.path))
        return
    content = flipped(pack)
    with pack.path.open("r+b") as file:
        file.write(content)
        if how == "shrunk":
            file.truncate(len(content) // 4)


@pytest.mark.usefixtures("shared_cluster")
def test_a_search_ends_in_one_line_and_goes_on_once_its_pack_is_back(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS), tmp_path / "runs"
    whole = pack.path.read_bytes()
    (tmp_path / "space.yaml").write_text(SPACE)
    command = ("tune", pack.path, "--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp")
    limits = ("--trials", "2", *ONE_PROCESS, "--wandb", "disabled", "--max-failures", "3")
    process = begin(*command, *limits)
    wait_until(lambda: checkpoint_of(storage, "exp", 0) or process.poll())
    overwrite(pack, "shrunk")
    assert_one_line_error(without_progress(finished(process)), "the pack has changed", str(pack.path))
    trials = load_trials(storage, experiment="exp")
    assert "failed" not in set(trials["status"])
    ended = load_epochs(storage, experiment="exp")
    assert_one_line_error(without_progress(skin_tune_here(*command, *limits, "--resume")), "pack")
    pack.path.write_bytes(whole)
    further = int(trials["images"].sum()) + 2 * sum(COUNTS["train"])
    again = skin_tune_here(*command, *limits, "--resume", "--image-budget", further)
    assert again.returncode == 0, again.stderr
    assert len(load_epochs(storage, experiment="exp")) > len(ended)


@pytest.mark.parametrize("how", ["same length, same name", "cp", "shrunk"])
def test_a_training_ends_in_one_line(how: str, tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS), tmp_path / "runs"
    command = ("train", pack.path, *SMALL, "--storage", storage, "--name", "hand", "--wandb", "disabled")

    def overwrite_later() -> None:
        first_checkpoint(storage)
        overwrite(pack, how)

    if how != "same length, same name":  # both cut the file, which may end the process that reads it
        process = begin(*command)
        overwrite_later()
        done = finished(process)
    else:
        done = run_beside(overwrite_later, *command)
    assert_one_line_error(without_progress(done), "the pack has changed", str(pack.path))
    assert len(load_epochs(storage)) < 300
    assert first_checkpoint(storage)


def test_a_pack_that_is_not_what_it_claims_to_be_trains_nothing(tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS), tmp_path / "runs"
    overwrite(pack, "same length, same name")
    done = skin_tune_here("train", pack.path, *SMALL, "--storage", storage, "--name", "hand")
    assert_one_line_error(without_progress(done), "the pack has changed", "claims to be")
    assert load_epochs(storage).empty


def first_checkpoint(storage: Path) -> Path:
    """The first `last.pt` that there is, once there is one."""
    return wait_until(lambda: next(storage.glob("experiments/*/*/checkpoints/*/last.pt"), None))


@pytest.mark.usefixtures("shared_cluster")
@pytest.mark.parametrize("command", ["tune", "train"])
def test_a_storage_that_is_removed_under_a_run_ends_it_and_is_not_made_anew(command: str, tmp_path: Path):
    pack, storage = write_synthetic_pack(tmp_path / "pack.arrow", COUNTS), tmp_path / "runs"
    (tmp_path / "space.yaml").write_text(SPACE)
    moved = tmp_path / "moved"
    more: Sequence[object] = SMALL
    if command == "tune":
        more = ("--space", tmp_path / "space.yaml", "--trials", "2", *ONE_PROCESS)

    def remove_later() -> None:
        first_checkpoint(storage)
        storage.rename(moved)

    where = ("--storage", storage, "--name", "exp", "--wandb", "offline")
    done = run_beside(remove_later, command, pack.path, *where, *more)
    assert_one_line_error(without_progress(done), "was removed while a run wrote to it", str(storage))
    time.sleep(1)
    assert not storage.exists()
    assert RunPaths(moved).lock("lip_dryness", "exp").exists()
