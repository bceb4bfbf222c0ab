"""Trials of two workers in a real Ray Train group."""

from pathlib import Path

import pytest
import yaml
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import write_synthetic_pack
from tests.integration.processes import checkpoint_of, ray_process, run_beside, wait_until

SPACE = """
method: grid
early_terminate: {type: hyperband, min_iter: 1, eta: 2}
parameters:
  learning_rate: {values: [1.0e-2, 1.0e-12, 1.0e+30, 1.0e-11]}
  backbone: {value: timm/test_resnet}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  epoch_images: {value: 96}
  augmentation_methods: {value: none}
  warmup_epochs: {value: 0}
  epochs: {value: 12}
"""


def test_trials_of_two_workers_are_stopped_diverge_survive_and_score_as_those_of_one(
    cluster_with_dashboard: Cluster, tmp_path: Path
):
    pack = write_synthetic_pack(tmp_path / "pack.arrow")
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"

    def kill_a_worker() -> None:
        wait_until(lambda: checkpoint_of(storage, "two", 0))  # it has run an epoch of the first trial
        wait_until(lambda: ray_process(cluster_with_dashboard.head_node, "RayTrainWorker")).kill()
        assert checkpoint_of(storage, "two", 0), "the kill came too late"

    where = ("--space", tmp_path / "space.yaml", "--storage", storage, "--name", "two", "--workers-per-trial", 2)
    done = run_beside(kill_a_worker, "tune", pack.path, *where)
    assert done.returncode == 0, done.stderr

    trials = load_trials(storage, experiment="two").set_index("config/learning_rate")
    assert len(trials) == 4
    assert trials["status"][1e30] == "diverged"
    assert trials["status"][1e-2] == "completed"
    assert (trials["status"] == "stopped_early").any()
    assert trials["error"].drop(1e30).isna().all()
    epochs = load_epochs(storage, experiment="two")
    assert not epochs.duplicated(["trial_id", "epoch"]).any()

    fixed = {name: entry["value"] for name, entry in yaml.safe_load(SPACE)["parameters"].items() if "value" in entry}
    same = [f"{name}={value}" for name, value in fixed.items()]
    alone = skin_tune_here("train", pack.path, "--storage", storage, "--name", "one", "learning_rate=1e-2", *same)
    assert alone.returncode == 0, alone.stderr
    one = load_epochs(storage, experiment="one").set_index("epoch")["train_loss"]
    two = epochs[epochs["trial_id"] == "two-000"].set_index("epoch")["train_loss"]
    assert two.index.tolist() == list(range(1, 13))
    assert two[1] == pytest.approx(one[1], rel=0.05)  # rounding differs, and each step of training magnifies that


@pytest.mark.usefixtures("cluster_with_dashboard")
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
