"""A cluster of several nodes, one of which is lost."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import assert_one_line_error, skin_tune, skin_tune_here
from tests.conftest import PackMaker
from tests.integration.processes import checkpoint_of, start, wait_until

SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 16}
  epochs: {value: 12}
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head with one CPU and what it believes to be a GPU, on this machine."""
    head = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


def runs_a_trial(node: Any) -> bool:
    """Whether an actor of Ray Tune lives on a node."""
    (raylet,) = (info.process.pid for info in node.all_processes["raylet"])
    for process in psutil.Process(raylet).children(recursive=True):
        try:
            if process.cmdline() and process.cmdline()[0].startswith("ray::ResourceTrainable"):
                return True
        except psutil.Error:  # it ended while we looked
            continue
    return False


def joining(cluster: Cluster) -> dict[str, str]:
    """The environment of a command that joins a cluster."""
    return {**os.environ, "RAY_ADDRESS": cluster.address, "WANDB_MODE": "disabled"}


def test_trials_of_a_lost_node_go_on_elsewhere_and_a_new_node_is_used(
    cluster: Cluster, make_pack: PackMaker, tmp_path: Path
):
    lost = cluster.add_node(num_cpus=1)
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    process = start(
        *("tune", make_pack().path, "--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp"),
        *("--trials", "6", "--gpus-per-trial", "0"),
        env=joining(cluster),
    )
    wait_until(lambda: all(checkpoint_of(storage, "exp", number) for number in (0, 1)))
    assert runs_a_trial(cluster.head_node)
    assert runs_a_trial(lost)
    cluster.remove_node(lost, allow_graceful=False)
    joined = cluster.add_node(num_cpus=1)
    wait_until(lambda: runs_a_trial(joined))
    assert process.wait(300) == 0

    trials = load_trials(storage)
    assert trials["status"].tolist() == ["completed"] * 6
    assert trials["error"].isna().all()
    epochs = load_epochs(storage).groupby("trial_id")["epoch"].apply(list)
    assert epochs.tolist() == [list(range(1, 13))] * 6


def test_a_budget_of_gpu_hours_ends_a_run_and_its_cost_is_told(cluster: Cluster, make_pack: PackMaker, tmp_path: Path):
    (tmp_path / "space.yaml").write_text(SPACE.replace("12", "500"))
    storage = tmp_path / "runs"
    command = ("tune", make_pack().path, "--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp")
    budget = ("--trials", 3, "--gpu-hours", 0.001, "--price-per-gpu-hour", 1000)
    done = skin_tune(*command, *budget, env=joining(cluster))
    assert done.returncode == 0, done.stderr
    trials = load_trials(storage)
    spent = trials["gpu_seconds"].sum()
    assert 3.6 <= spent < 60
    assert f"cost: {spent / 3600:.3g} GPU-hours, {spent / 3.6:.2f} in money" in done.stdout
    assert "were cut off; --resume goes on with them" in done.stdout
    assert_one_line_error(skin_tune_here(*command, "--gpu-hours", 0), "--gpu-hours 0", "above 0")
