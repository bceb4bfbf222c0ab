"""How many CPUs and GPUs a trial gets."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
import yaml
from ray.autoscaler._private.util import prepare_config

from skin_tune.errors import ClusterError
from skin_tune.tuning.backend import resources
from skin_tune.tuning.backend.resources import TrialResources, nodes_to_come, trial_resources
from tests.cli_runner import ROOT

GPU_NODE, CPU_NODE = {"CPU": 16.0, "GPU": 4.0}, {"CPU": 2.0}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Ray says of its nodes, and of those that an autoscaler may add."""
    said = SimpleNamespace(here=[CPU_NODE], to_come=[])
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": resources} for resources in said.here])
    monkeypatch.setattr(resources, "nodes_to_come", lambda: said.to_come)
    return said


def test_a_trial_takes_a_gpu_and_its_share_of_the_cpus_where_there_are_gpus(nodes: SimpleNamespace):
    nodes.here = [GPU_NODE, CPU_NODE]
    assert trial_resources(None, None, at_once=8) == TrialResources(cpus=4, gpus=1)
    assert trial_resources(None, 0.5, at_once=8) == TrialResources(cpus=2, gpus=0.5)


def test_without_gpus_the_cpus_are_dealt_out_to_the_trials_that_run_at_a_time(nodes: SimpleNamespace):
    assert trial_resources(None, None, at_once=1) == TrialResources(cpus=2, gpus=0)
    assert trial_resources(None, None, at_once=8) == TrialResources(cpus=1, gpus=0)


def test_a_cluster_of_g_gpus_has_room_for_g_by_n_trials_of_n_workers(nodes: SimpleNamespace):
    nodes.here = [GPU_NODE, GPU_NODE]
    assert trial_resources(None, None, at_once=8, workers=2) == TrialResources(cpus=4, gpus=1, workers=2, room=4)
    assert trial_resources(None, None, at_once=8, workers=3).room == 2


def test_nodes_that_an_autoscaler_may_add_count_where_those_that_are_there_do_not_suffice(
    nodes: SimpleNamespace, capsys: pytest.CaptureFixture[str]
):
    nodes.to_come = [GPU_NODE, GPU_NODE]
    assert trial_resources(None, None, at_once=8) == TrialResources(cpus=4, gpus=1)
    assert "waiting for its autoscaler" in capsys.readouterr().err
    assert trial_resources(None, None, at_once=8, workers=8).room == 1
    nodes.here = [GPU_NODE]
    assert trial_resources(None, None, at_once=8, workers=2).room == 4
    assert capsys.readouterr().err.count("waiting") == 1  # for the trial of eight workers


@pytest.mark.parametrize(
    ("cpus", "gpus", "workers", "said"),
    [
        (400, None, 1, "--cpus-per-trial 400 is more than any node has; the largest has 16"),
        (None, 9, 1, "--gpus-per-trial 9 is more than any node has; the largest has 4"),
        (None, -1, 1, "--gpus-per-trial -1 is neither a share"),
        (None, 1.5, 1, "--gpus-per-trial 1.5 is neither a share"),
        (3, None, 2, "--cpus-per-trial 3 is not a positive multiple of 2"),
        (None, 0.5, 2, "each worker needs a whole GPU"),
        (None, None, 5, "--workers-per-trial 5 needs 5 times 4 CPU and 1 GPU; the cluster has room for 4"),
    ],
)
def test_what_does_not_fit_is_refused(nodes: SimpleNamespace, cpus: int, gpus: float, workers: int, said: str):
    nodes.here = [GPU_NODE, CPU_NODE]
    with pytest.raises(ClusterError, match=said):
        trial_resources(cpus, gpus, at_once=8, workers=workers)


def test_the_nodes_to_come_are_those_of_the_file_that_the_cluster_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nodes_to_come() == []
    config = prepare_config(yaml.safe_load((ROOT / "cluster.yaml").read_text()))
    (tmp_path / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(config))
    assert nodes_to_come() == [{"CPU": 8.0, "GPU": 1.0}] * 8  # of ten, by type, max_workers are allowed
