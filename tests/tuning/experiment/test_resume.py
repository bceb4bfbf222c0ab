"""What an experiment does with what an earlier run of it has left."""

from pathlib import Path

from skin_tune.data.pack.folds import Fold
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths, refit_name
from skin_tune.tuning.experiment.resume import remove_leftovers, resumable_configs
from skin_tune.tuning.trial.context import FOLD


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
