"""One process that trains trial after trial."""

from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.training.checkpoint import BackgroundSaver
from skin_tune.tuning.backend import trial_worker
from skin_tune.tuning.backend.trial_worker import TrialWorker
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, TrialSetting
from skin_tune.tuning.trial.epochs import build_trainer, next_epoch
from skin_tune.tuning.trial.result import epoch_metrics
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL

WEIGHTS = {("none", "resnet18"): None}
COUNTS = {"train": (6, 4, 4), "val": (4, 3, 3), "test": (1, 1, 1)}


@pytest.fixture
def pack(make_pack: PackMaker) -> Pack:
    return make_pack(COUNTS, size=16)


@pytest.fixture
def setting(pack: Pack, tmp_path: Path) -> TrialSetting:
    ExperimentWriter(tmp_path / "runs", "lip_dryness", "exp").close()
    return TrialSetting.of(pack, tmp_path / "runs", "exp", "val_balanced_acc")


@pytest.fixture
def worker(setting: TrialSetting, monkeypatch: pytest.MonkeyPatch) -> TrialWorker:
    monkeypatch.setattr(ray, "get_gpu_ids", list)
    return TrialWorker({"lip_dryness": setting}, WEIGHTS, torch.get_num_threads())


def config_of(trial_id: str, **changes: Any) -> dict[str, Any]:
    values = {**SMALL, "batch_size": 7, "epochs": 2, "oversample": "none", **changes}
    return {**TrialConfig.from_mapping(values).to_dict(), TRIAL_ID: trial_id, REGION: "lip_dryness"}


def untimed(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in epoch_metrics(result).items() if not name.endswith("second")} | {
        "epoch_seconds": None
    }


def test_trials_one_after_the_other_train_as_each_by_itself(worker: TrialWorker, setting: TrialSetting, pack: Pack):
    first, second = config_of("exp-000"), config_of("exp-001", learning_rate=0.01)
    told = [untimed(worker.train_epoch(config)) for config in (first, first, second)]
    alone = []
    for config, epochs in ((first | {TRIAL_ID: "exp-002"}, 2), (second | {TRIAL_ID: "exp-003"}, 1)):
        trainer = build_trainer(config, setting, pack, WEIGHTS, device="cpu")
        alone += [untimed(next_epoch(trainer, BackgroundSaver(), config, setting)) for _ in range(epochs)]
    assert told == alone


def test_a_trial_that_was_forgotten_goes_on_from_its_checkpoint(worker: TrialWorker):
    config = config_of("exp-000", epochs=3)
    told = [worker.train_epoch(config) for _ in range(2)]
    worker.forget()
    again = worker.train_epoch(config)
    assert again["epoch"] == 1, "the last epoch that was kept is told again"
    assert untimed(worker.train_epoch(config)) == untimed(told[1])


def test_a_trial_that_fails_says_so_and_the_next_one_runs(worker: TrialWorker):
    failed = worker.train_epoch(config_of("exp-000", learning_rate=1e30, epochs=1))
    assert failed["status"] == "diverged"
    assert worker.train_epoch(config_of("exp-001", epochs=1))["done"]


def test_a_process_without_its_device_ends(worker: TrialWorker, monkeypatch: pytest.MonkeyPatch):
    def lost(*arguments: Any, **options: Any) -> Any:
        raise torch.AcceleratorError("the device is gone")

    monkeypatch.setattr(trial_worker, "build_trainer", lost)
    with pytest.raises(torch.AcceleratorError):
        worker.train_epoch(config_of("exp-000"))


def test_what_it_runs_besides_has_the_process_for_itself(worker: TrialWorker):
    worker.train_epoch(config_of("exp-000", epochs=1))
    assert worker.run(lambda number: (number, worker._trainer), 7) == (7, None)
