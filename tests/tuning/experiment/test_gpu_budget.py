"""GPU-hours are those of all trials of a run, earlier runs of its experiments included."""

from pathlib import Path

from skin_tune.results.store.tables import ExperimentWriter
from skin_tune.tuning.experiment.gpu_budget import GpuBudget


def test_a_run_ends_once_its_experiments_have_held_gpus_for_so_long(tmp_path: Path):
    writers = [ExperimentWriter(tmp_path, region, "exp") for region in ("lip_dryness", "chin_sagging")]
    budget = GpuBudget(1.5, writers)
    assert not budget.stop_all()
    writers[0].update_trial("exp-000", gpu_seconds=3600.0)
    writers[1].update_trial("exp-000", gpu_seconds=1799.0)
    writers[1].update_trial("exp-001", status="running")  # holds none yet
    assert not budget.stop_all()
    writers[1].update_trial("exp-001", gpu_seconds=1.0)
    assert budget.stop_all()
    assert not budget("exp-000", {"epoch": 1})  # no trial by itself
    for writer in writers:
        writer.close()
