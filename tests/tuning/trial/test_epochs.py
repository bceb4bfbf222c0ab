"""A trial epoch by epoch, as a worker runs it: what it keeps, what it tells, and how it goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_tune.config import TrialConfig
from skin_tune.data.pack.folds import Fold, fold_view
from skin_tune.data.pack.format import Pack
from skin_tune.errors import PackChangedError, StoreError
from skin_tune.model.class_weights import class_weights
from skin_tune.results import load_predictions
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.training.checkpoint import BackgroundSaver, load_checkpoint
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.trial.context import FOLD, REGION, TRIAL_ID, TrialSetting
from skin_tune.tuning.trial.epochs import build_trainer, epoch_result, failure_result, next_epoch
from skin_tune.tuning.trial.result import epoch_metrics
from tests.conftest import write_synthetic_pack
from tests.tuning.stored_experiment import SMALL

EPOCHS = 3
WEIGHTS = {("none", "resnet18"): None}
TIMES = ("epoch_seconds", "images_per_second")
SMALLEST = {"train": (6, 4, 4), "val": (4, 3, 3), "test": (1, 1, 1)}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow", SMALLEST, size=16)


@pytest.fixture(scope="module")
def setting(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialSetting]:
    """Of an experiment that is being run."""
    storage = tmp_path_factory.mktemp("runs")
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    yield TrialSetting.of(pack, storage, "exp", "val_balanced_acc")
    writer.close()


@pytest.fixture(scope="module")
def whole(setting: TrialSetting, pack: Pack) -> list[dict[str, Any]]:
    """The results of `exp-000`, which nothing interrupted."""
    config, saver = config_of("exp-000"), BackgroundSaver()
    trainer = build(config, setting, pack)
    return [next_epoch(trainer, saver, config, setting) for _ in range(EPOCHS)]


def config_of(trial_id: str, **changes: Any) -> dict[str, Any]:
    values = {**SMALL, "batch_size": 7, "epochs": EPOCHS, "oversample": "none", **changes}
    return {**TrialConfig.from_mapping(values).to_dict(), TRIAL_ID: trial_id, REGION: "lip_dryness"}


def build(config: dict[str, Any], setting: TrialSetting, pack: Pack) -> Trainer:
    return build_trainer(config, setting, pack, WEIGHTS, device="cpu")


def untimed(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in epoch_metrics(result).items() if name not in TIMES}


def test_each_epoch_is_told_and_the_last_one_is_the_end(whole: list[dict[str, Any]], setting: TrialSetting):
    assert [result["epoch"] for result in whole] == [1, 2, 3]
    assert [result["done"] for result in whole] == [False, False, True]
    last = setting.checkpoints("exp-000") / "last.pt"
    assert load_checkpoint(last)["epoch"] == 2, "a trial that is over needs none of its last epoch"


def test_a_trial_that_was_interrupted_gives_what_an_unbroken_one_gives(
    whole: list[dict[str, Any]], setting: TrialSetting, pack: Pack
):
    config, saver = config_of("exp-001"), BackgroundSaver()
    first = build(config, setting, pack)
    told = [next_epoch(first, saver, config, setting) for _ in range(2)]
    resumed = build(config, setting, pack)  # its process died before epoch 2 was kept
    again = [epoch_result(resumed, config, setting)]
    assert again == told[:1], "what the driver may have missed is told again"
    again += [next_epoch(resumed, saver, config, setting) for _ in range(2)]
    assert [untimed(result) for result in again] == [untimed(result) for result in whole]


def test_model_and_validation_answers_are_those_of_the_best_epoch(
    whole: list[dict[str, Any]], setting: TrialSetting, pack: Pack
):
    best = max(whole, key=lambda result: result["val_balanced_acc"])  # the first of equal ones
    assert whole[-1]["best_epoch"] == best["epoch"]
    assert whole[-1]["best_val_balanced_acc"] == best["val_balanced_acc"]
    assert whole[-1]["checkpoint"] == str(setting.checkpoints("exp-000") / "best.pt")
    assert load_checkpoint(Path(whole[-1]["checkpoint"]))["epoch"] == best["epoch"]
    answers = load_predictions(setting.storage, experiment="exp", split="val", trial="exp-000")
    assert len(answers) == len(pack.indices("val"))
    assert (answers["predicted"] == answers["label"]).mean() == pytest.approx(best["val_acc"])


def test_the_run_of_a_fold_sees_nobody_of_it_and_keeps_what_its_last_epoch_says_of_them(
    setting: TrialSetting, pack: Pack
):
    config, saver = {**config_of("fold-000", train_loss="cb"), FOLD: Fold(1, 3, seed=5)}, BackgroundSaver()
    view = fold_view(pack, config[FOLD])
    trainer = build(config, setting, pack)
    results = [next_epoch(trainer, saver, config, setting) for _ in range(EPOCHS)]

    judged = set(view.subjects[view.indices("val")])
    assert not judged & set(pack.subjects[trainer.train_rows])
    trained = (~np.isin(pack.subjects, list(judged))) & (pack.split != "test")
    assert sorted(trainer.train_rows.tolist()) == np.flatnonzero(trained).tolist()
    counts = np.bincount(pack.labels[trained], minlength=3)
    assert trainer.loss.weight is not None
    assert trainer.loss.weight.tolist() == pytest.approx(class_weights(counts, trainer.config.beta).tolist())

    assert [result["best_epoch"] for result in results] == [1, 2, 3], "its people do not choose the epoch"
    assert results[-1]["checkpoint"] is None
    assert not (setting.checkpoints("fold-000") / "best.pt").exists()
    said = load_predictions(setting.storage, experiment="exp", trial="fold-000", split="oof")
    assert set(said["split"]) == {"oof"}
    assert set(said["subject"]) == judged
    assert (said["predicted"] == said["label"]).mean() == pytest.approx(results[-1]["val_acc"])
    assert load_predictions(setting.storage, experiment="exp", trial="fold-000", split="val").empty


def test_the_run_of_a_fold_that_was_interrupted_gives_what_an_unbroken_one_gives(setting: TrialSetting, pack: Pack):
    whole, parts = ({**config_of(name), FOLD: Fold(0, 3, seed=5)} for name in ("fold-001", "fold-002"))
    unbroken, saver = build(whole, setting, pack), BackgroundSaver()
    told = [next_epoch(unbroken, saver, whole, setting) for _ in range(EPOCHS)]
    first = build(parts, setting, pack)
    for _ in range(2):
        next_epoch(first, saver, parts, setting)
    resumed = build(parts, setting, pack)
    again = [epoch_result(resumed, parts, setting)]
    again += [next_epoch(resumed, saver, parts, setting) for _ in range(2)]
    assert [untimed(result) for result in again] == [untimed(result) for result in told]
    kept = [
        load_predictions(setting.storage, experiment="exp", trial=name, split="oof")["probabilities"].map(list)
        for name in ("fold-001", "fold-002")
    ]
    assert kept[0].tolist() == kept[1].tolist()


def test_nothing_is_trained_into_an_experiment_that_was_removed(pack: Pack, tmp_path: Path):
    writer = ExperimentWriter(tmp_path / "runs", "lip_dryness", "exp")
    setting, config = TrialSetting.of(pack, tmp_path / "runs", "exp", "val_balanced_acc"), config_of("exp-000")
    trainer = build(config, setting, pack)
    writer.discard()
    with pytest.raises(StoreError, match="was removed"):
        next_epoch(trainer, BackgroundSaver(), config, setting)
    assert trainer.epoch == 0
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("error", "status", "fatal"),
    [
        (TrainingDivergedError("loss is nan in epoch 3"), "diverged", False),
        (RuntimeError("two\nlines"), "failed", False),
        (StoreError("cannot write to 'runs'"), "failed", True),
        (PackChangedError("pack 'x' has changed"), "failed", True),
    ],
)
def test_the_last_result_of_a_failed_trial_says_why(error: Exception, status: str, fatal: bool):
    result = failure_result(error, 2)
    assert (result["status"], result["fatal"], result["epoch"], result["done"]) == (status, fatal, 2, True)
    assert str(error).split("\n")[0] in result["error"]
    assert "\n" not in result["error"]
    assert result["val_balanced_acc"] == result["val_macro_f1"] == 0.0, "Tune wants them in each result"


def test_metrics_of_an_epoch_are_what_the_trainer_measured_and_nothing_that_ray_adds():
    measured = {
        "epoch": 1,
        "train_loss": 1.0,
        "val_recall_0": 0.5,
        "learning_rate": 0.1,
        "images": 42,
        "epoch_seconds": 2.0,
    }
    added = {"time_total_s": 3.0, "training_iteration": 1, "checkpoint": "best.pt", "best_epoch": 1, "done": False}
    assert epoch_metrics({**measured, **added}) == measured
