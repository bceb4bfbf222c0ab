"""A training on one worker whose process dies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from skin_tune.config import TrialConfig
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.backend.lost_workers import WorkersLostError
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.backend.workers import OneWorker, start_workers
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, TrialSetting
from skin_tune.tuning.trial.result import epoch_metrics
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL

COUNTS = {"train": (6, 4, 4), "val": (4, 3, 3), "test": (1, 1, 1)}


@pytest.fixture
def joined(shared_cluster: Cluster) -> Iterator[None]:
    ray.init(address=shared_cluster.address, log_to_driver=False)
    yield
    ray.shutdown()


def untimed(result: Any) -> dict[str, float]:
    return {name: value for name, value in epoch_metrics(result).items() if not name.endswith(("seconds", "second"))}


@pytest.mark.usefixtures("joined")
def test_a_worker_that_dies_is_replaced_as_often_as_is_allowed(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack(COUNTS, size=16)
    writer = ExperimentWriter(tmp_path / "runs", "lip_dryness", "exp")
    settings = {"lip_dryness": TrialSetting.of(pack, tmp_path / "runs", "exp", "val_balanced_acc")}
    values = TrialConfig.from_mapping({**SMALL, "batch_size": 7, "epochs": 3}).to_dict()
    config = {**values, TRIAL_ID: "exp-000", REGION: "lip_dryness"}
    with start_workers(settings, {("none", "resnet18"): None}, TrialResources(1, 0.0), max_failures=1) as workers:
        assert isinstance(workers, OneWorker)
        told = [untimed(workers.train_epoch(config)) for _ in range(2)]
        workers.close()
        again = [untimed(workers.train_epoch(config)) for _ in range(2)]
        assert again == told, "from the checkpoint of epoch 1 on"
        workers.close()
        lost = workers.train_epoch(config)
        assert (lost["status"], lost["fatal"]) == ("failed", False)
        assert "its worker was lost 2 times" in lost["error"]
        with pytest.raises(WorkersLostError):
            workers.run(len, ())
    writer.close()
