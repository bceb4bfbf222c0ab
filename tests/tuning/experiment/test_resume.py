"""What an experiment does with what an earlier run of it has left."""

from pathlib import Path

from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths, refit_name
from skin_tune.tuning.experiment.resume import remove_leftovers


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
