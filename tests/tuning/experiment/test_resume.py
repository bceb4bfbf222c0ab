"""What an experiment does with what an earlier run of it has left."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.pack.folds import Fold
from skin_tune.data.pack.format import Pack
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths, refit_name
from skin_tune.tuning.experiment.plan import Plan, make_plan
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.resume import remove_leftovers, restore, resumable_configs
from skin_tune.tuning.trial.context import FOLD
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL, trial_row


def test_only_checkpoints_that_something_goes_on_from_are_kept(tmp_path: Path):
    paths = RunPaths(tmp_path)
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    writer.update_trial("exp-000", status="completed", ended_at=now())
    writer.update_trial("exp-001", status="stopped_early", ended_at=now())
    writer.update_trial("exp-002", status="stopped_early")
    writer.update_trial("exp-003", status="running")
    writer.update_trial("exp-005", status="interrupted")
    refits = {refit_name("exp-000", include_val=chosen) for chosen in (False, True)}
    for name in ("exp-000", "exp-001", "exp-002", "exp-003", "exp-004", "exp-005", *refits):
        last = paths.checkpoints("lip_dryness", "exp", name) / "last.pt"
        last.parent.mkdir(parents=True)
        last.touch()
    remove_leftovers(writer, paths, "lip_dryness", "exp")
    assert paths.resumable("lip_dryness", "exp") == {"exp-002", "exp-003", "exp-005", *refits}
    writer.close()


def test_the_run_of_a_fold_is_resumed_on_its_fold(tmp_path: Path):
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp-confirm-folds3")
    writer.update_trial("exp-000-seed7-fold2", status="running", seed=7, fold=2, folds=3)
    writer.update_trial("exp-000-seed7-fold1", status="completed", ended_at=now(), seed=7, fold=1, folds=3)
    writer.flush()
    writer.close()
    again = ExperimentWriter(tmp_path, "lip_dryness", "exp-confirm-folds3")
    again.update_trial("other", status="interrupted", seed=7)
    found = {config["trial_id"]: config.get(FOLD) for config in resumable_configs(again)}
    assert found == {"exp-000-seed7-fold2": Fold(2, 3, seed=7), "other": None}
    again.close()


def restored(storage: Path, pack: Pack, rows: list[dict[str, Any]], method: str = "grid", trials: int = 12) -> Plan:
    """The plan that resumes an experiment of a space of lists, which has `rows` of configs by now."""
    (storage / "space.yaml").write_text(
        f"method: {method}\nparameters:\n  train_loss: {{values: [cb, focal, ce]}}\n  gamma: {{values: [0.5, 1.0]}}\n"
        "  oversample: {values: [none, sqrt]}\n"
    )
    request = TuneRequest(pack.path, storage / "space.yaml", SMALL, name="exp", storage=storage, trials=trials)
    plan = make_plan(request)
    plan.spec.write(plan.spec_file)
    writer = ExperimentWriter(storage, pack.info.region, "exp")
    for number, changes in enumerate(rows):
        writer.update_trial(f"exp-{number:03d}", **trial_row(pack, 0.5, **changes))
    found = restore(make_plan(replace(request, resume=True)), writer)
    writer.close()
    return found


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_an_experiment_that_ran_configs_again_goes_on_with_those_that_are_new(
    make_pack: PackMaker, tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]
):
    ce: list[dict[str, Any]] = [{"train_loss": "ce", "oversample": "none", "gamma": gamma} for gamma in (0.5, 1.0)]
    plan = restored(tmp_path, make_pack(), [*ce, {"train_loss": "cb", "oversample": "sqrt", "gamma": 1.0}], method)
    assert (plan.trials, plan.to_run) == (3 + 8, 8)
    assert "11 trials, not 12: the space has 10 different configs, of which 8 have not been run" in (
        capsys.readouterr().err
    )


def test_an_experiment_whose_configs_have_all_been_run_has_ended(
    make_pack: PackMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows: list[dict[str, Any]] = [
        {"train_loss": loss, "gamma": gamma, "oversample": oversample}
        for loss in ("cb", "focal", "ce")
        for gamma in (0.5, 1.0)
        for oversample in ("none", "sqrt")
    ]
    plan = restored(tmp_path, make_pack(), rows, "bayes", trials=99)
    assert plan.to_run == 0
    assert "the space has 10 different configs, of which none have not been run" in capsys.readouterr().err
