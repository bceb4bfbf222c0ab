"""A cluster of several nodes, one of which is lost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from skin_tune.results import load_epochs, load_trials
from skin_tune.tuning.backend.bare_node import bare_node
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker
from tests.integration.processes import ray_process, start, under_way, wait_until

SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 32}
  batch_size: {value: 32}
  epochs: {value: 10}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head with one CPU and what it believes to be a GPU, on this machine."""
    head = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    with bare_node():
        cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


def runs_a_trial(node: Any) -> bool:
    """Whether an actor of Ray Tune lives on a node."""
    return ray_process(node, "ResourceTrainable") is not None


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
        *("--trials", "4", "--gpus-per-trial", "0"),
        env=joining(cluster),
    )
    wait_until(lambda: under_way(storage, "exp") == 2)
    assert runs_a_trial(cluster.head_node)
    assert runs_a_trial(lost)
    cluster.remove_node(lost, allow_graceful=False)
    joined = cluster.add_node(num_cpus=1)
    wait_until(lambda: runs_a_trial(joined))
    assert process.wait(300) == 0

    cluster.remove_node(joined)

    trials = load_trials(storage)
    assert trials["status"].tolist() == ["completed"] * 4
    assert trials["error"].isna().all()
    epochs = load_epochs(storage).groupby("trial_id")["epoch"].apply(list)
    assert epochs.tolist() == [list(range(1, 11))] * 4


@pytest.fixture
def node_with_its_own_disk(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A folder of which another node of the cluster has its own, empty one."""
    apart = ("unshare", "--mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    ray_folder = Path(os.environ["RAY_TMPDIR"]) / "ray"  # to the node what others wrote there never was
    mounts = f"mount -t tmpfs none {folder} && mount -t tmpfs none {ray_folder}"
    if subprocess.run([*apart, "sh", "-c", mounts], capture_output=True).returncode:
        pytest.skip("only a user who may mount can give a node a disk of its own")
    join = f"{mounts} && exec {Path(sys.executable).parent}/ray start --num-cpus 1 --block --address {cluster.address}"

    def joined() -> bool:
        return sum(node["Alive"] for node in ray.nodes()) == 2

    started: list[subprocess.Popen[bytes]] = []
    ray.init(address=cluster.address)
    try:
        while len(started) < 3 and not joined():  # Ray ends a node that is not up in 15 s, as on busy cores
            command = [*apart, "sh", "-c", join]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT))
            wait_until(lambda: joined() or started[-1].poll() is not None)
        assert joined(), "no node has come up"
        ray.shutdown()
        yield folder
    finally:
        ray.shutdown()
        for node in started:
            node.terminate()
            node.wait()


def test_what_not_every_node_sees_is_refused_before_anything_starts(
    cluster: Cluster, node_with_its_own_disk: Path, make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    disk = node_with_its_own_disk
    pack = make_pack().path
    (disk / "space.yaml").write_text(SPACE)
    command = ("tune", pack, "--space", disk / "space.yaml", "--gpus-per-trial", 0, "--storage", disk / "runs")
    asked = disk / "runs" / "experiments" / "lip_dryness" / "exp" / "asked.json"
    assert_one_line_error(skin_tune_here(*command, "--name", "exp"), str(asked), "does not see", "s3://")
    assert not (disk / "runs").exists(), "the name stays free"


def test_a_budget_of_gpu_hours_ends_a_run_and_its_cost_is_told(
    cluster: Cluster, make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    (tmp_path / "space.yaml").write_text(SPACE.replace("10", "500"))
    storage = tmp_path / "runs"
    command = ("tune", make_pack().path, "--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp")
    budget = ("--trials", 3, "--gpu-hours", 0.001, "--price-per-gpu-hour", 1000)
    done = skin_tune_here(*command, *budget)
    assert done.returncode == 0, done.stderr
    trials = load_trials(storage)
    spent = trials["gpu_seconds"].sum()
    assert 3.6 <= spent < 60
    assert f"cost: {spent / 3600:.3g} GPU-hours, {spent / 3.6:.2f} in money" in done.stdout
    assert "interrupted; --resume resumes" in done.stdout
    assert_one_line_error(skin_tune_here(*command, "--gpu-hours", 0), "--gpu-hours 0", "above 0")
