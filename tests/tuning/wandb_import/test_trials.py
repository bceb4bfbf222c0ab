"""What a run's end, its config and its summary make of a trial."""

import json
from typing import Any

import pytest

from skin_tune.config import FIELDS, TrialConfig, canonical
from skin_tune.results.store.schema import WANDB_RUN
from skin_tune.tuning.trial.stored_config import config_of
from skin_tune.tuning.wandb_import.run_files import WandbRun
from skin_tune.tuning.wandb_import.trials import CONFIG, ImportedTrial, is_finished, is_ours, is_refit, trial_of

OURS: dict[str, Any] = {
    "group": "exp",
    "job_type": "lip_dryness",
    "tags": ["lip_dryness", "resnet50", "cb"],
    "config": canonical(TrialConfig().to_dict()),
}


@pytest.mark.parametrize(
    ("exit_code", "summary", "finished", "status"),
    [
        (0, {}, True, "completed"),
        (2, {}, True, "failed"),
        (0, {"status": "stopped_early"}, True, "stopped_early"),
        (1, {"status": "diverged", "error": "loss is nan"}, True, "diverged"),
        (0, {"status": "interrupted"}, False, ""),
        (None, {}, False, ""),
        (0, {"status": ["odd"]}, True, "completed"),
    ],
)
def test_a_trial_ends_as_its_run_did(exit_code: int | None, summary: dict[str, Any], finished: bool, status: str):
    run = WandbRun("abc", exit_code=exit_code, summary=summary)
    assert is_finished(run) == finished
    if finished:
        columns = trial_of(run, {}).columns
        assert columns["status"] == status
        errors = {"failed": "the run ended with exit code 2", "diverged": "loss is nan"}
        assert columns["error"] == errors.get(status)


def test_hyper_parameters_are_taken_in_their_types_and_the_rest_is_kept_as_it_was():
    config = {"lr": "1e-3", "backbone": "resnet18", "optimizer": "lion", "amp": 1, "epochs": 3.0, "aug": {"flip": True}}
    trial = trial_of(WandbRun("abc", "grades", config=config), {"lr": "learning_rate", "aug.flip": "sync_batchnorm"})
    found = _config(trial)
    assert found == {
        "config/learning_rate": 0.001,
        "config/backbone": "resnet18",
        "config/amp": True,
        "config/epochs": 3,
        "config/sync_batchnorm": True,
    }
    assert trial.unused_config == {"optimizer='lion'"}
    assert json.loads(trial.columns[CONFIG]) == config
    assert trial.columns[WANDB_RUN] == "grades/abc"
    assert config_of({"trial_id": "x", **found}).learning_rate == 0.001


def _config(trial: ImportedTrial) -> dict[str, Any]:
    assert {f"config/{name}" for name in FIELDS} <= trial.columns.keys()
    columns = {name: value for name, value in trial.columns.items() if name.startswith("config/")}
    return {name: value for name, value in columns.items() if value is not None}


def test_a_config_that_contradicts_itself_here_is_none():
    run = WandbRun("abc", config={"epoch_images": 100, "target_samples_per_class": 5})
    trial = trial_of(run, {})
    assert not _config(trial)
    assert trial.unused_config == {"epoch_images", "target_samples_per_class"}


@pytest.mark.parametrize(
    ("rows", "best", "metric"),
    [
        (
            [{"val_balanced_acc": 0.5, "val_loss": 1.0}, {"val_balanced_acc": 0.25, "val_loss": 0.0}],
            1,
            "val_balanced_acc",
        ),
        ([{"val_macro_f1": 0.5}, {"val_macro_f1": 0.75}, {"val_macro_f1": 0.75}], 2, "val_macro_f1"),
        ([{"val_loss": 1.0}, {"val_loss": 0.5}, {"val_loss": 2.0}], 2, None),
        ([{"train_loss": 1.0}, {"train_loss": 2.0}], 2, None),
    ],
)
def test_the_best_epoch_is_that_of_the_metric_there_is(rows: list[dict[str, Any]], best: int, metric: str | None):
    trial = trial_of(WandbRun("abc", history=rows, summary={"best_epoch": 3}), {})
    assert trial.best is not None
    assert (trial.best["epoch"], trial.columns["metric"]) == (best, metric)
    assert trial.columns["epochs"] == len(rows)


def test_of_our_own_runs_the_summary_says_which_epoch_was_the_best():
    rows = [{"epoch": 1, "val_balanced_acc": 0.75}, {"epoch": 2, "val_balanced_acc": 0.5}]
    run = WandbRun("abc", history=rows, summary={"best_epoch": 2}, **OURS)
    assert is_ours(run)
    assert not is_refit(run)
    best = trial_of(run, {}).best
    assert best is not None
    assert best["epoch"] == 2, "the first one was of the warm-up"


def test_the_run_of_a_refit_is_told_from_one_of_a_trial():
    assert is_refit(WandbRun("abc", name="exp-001-refit", summary={"test_acc": 0.5}, **OURS))
    assert not is_refit(WandbRun("abc", name="exp-001-refit", summary={"test_acc": 0.5}))
    assert not is_refit(WandbRun("abc", name="exp-001", summary={"val_acc": 0.5}, **OURS))
