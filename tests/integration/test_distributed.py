"""Trials of two workers in a real Ray Train group."""

import subprocess
import sys
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.processes import checkpoint_of, ray_process, wait_until

SPACE = """
method: grid
early_terminate: {type: hyperband, min_iter: 1, eta: 2}
parameters:
  learning_rate: {values: [1.0e-4, 1.0e-12, 1.0e+30, 1.0e-11]}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  epoch_images: {value: 200}
  warmup_epochs: {value: 0}
  epochs: {value: 3}
"""


def test_trials_of_two_workers_are_stopped_diverge_survive_and_score_as_those_of_one(
    shared_cluster: Cluster, tmp_path: Path
):
    pack = write_synthetic_pack(tmp_path / "pack.arrow")
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    common = ["tune", str(pack.path), "--space", str(tmp_path / "space.yaml"), "--storage", str(storage)]

    # A worker of the first trial is killed after its first epoch.
    command = [sys.executable, "-m", "skin_tune", *common, "--name", "two", "--workers-per-trial", "2"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: checkpoint_of(storage, "two", 0) or process.poll() is not None)
        wait_until(lambda: ray_process(shared_cluster.head_node, "RayTrainWorker")).kill()
        assert process.wait(400) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()

    trials = load_trials(storage, experiment="two").set_index("config/learning_rate")
    assert len(trials) == 4
    assert trials["status"][1e30] == "diverged"
    assert trials["status"][1e-4] == "completed"
    assert (trials["status"] == "stopped_early").any()
    assert trials["error"].drop(1e30).isna().all()
    epochs = load_epochs(storage, experiment="two")
    assert not epochs.duplicated(["trial_id", "epoch"]).any()

    alone = skin_tune_here("train", str(pack.path), "--storage", storage, "--name", "one", *(
        f"{name}={trials[f'config/{name}'].iloc[0]}" for name in ("backbone", "weights", "image_size", "batch_size")
    ), "epoch_images=200", "warmup_epochs=0", "epochs=3", "learning_rate=1e-4")  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    one = load_epochs(storage, experiment="one").set_index("epoch")["train_loss"]
    two = epochs[epochs["trial_id"] == "two-000"].set_index("epoch")["train_loss"]
    assert two.index.tolist() == [1, 2, 3]
    assert two[1] == pytest.approx(one[1], rel=0.05)  # rounding differs, and each step of training magnifies that


@pytest.mark.usefixtures("shared_cluster")
def test_what_several_workers_cannot_do_is_refused_before_anything_starts(tmp_path: Path):
    pack = write_synthetic_pack(tmp_path / "pack.arrow")
    (tmp_path / "space.yaml").write_text(SPACE)
    common = ("tune", pack.path, "--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs")
    for flags, parts in (
        (("--workers-per-trial", "0"), ("--workers-per-trial 0", "below 1")),
        (("--workers-per-trial", "8"), ("batch_size=16", "4 images for each of 8 workers")),
        (("--max-failures", "-1"), ("--max-failures -1", "below 0")),
    ):
        assert_one_line_error(skin_tune_here(*common, *flags), *parts)
    half = skin_tune_here(*common, "--workers-per-trial", "2", "--gpus-per-trial", "0.5")
    assert_one_line_error(half, "--gpus-per-trial 0.5", "whole GPU", "must be 2")
    assert not (tmp_path / "runs").exists()
