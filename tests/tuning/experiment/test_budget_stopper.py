"""A budget is of all trials of a run, earlier runs of its experiments included."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.budget import budgets_of
from skin_tune.tuning.experiment.budget_stopper import BudgetStopper
from skin_tune.tuning.experiment.request import TuneRequest


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[ExperimentWriter]]:
    both = [ExperimentWriter(tmp_path, region, "exp") for region in ("lip_dryness", "chin_sagging")]
    yield both
    for writer in both:
        writer.close()


def stopper_of(writers: list[ExperimentWriter], **given: float) -> BudgetStopper:
    return BudgetStopper(budgets_of(TuneRequest(Path("x.arrow"), Path("space.yaml"), **given)), writers)  # type: ignore[arg-type]


def test_a_run_ends_once_its_experiments_have_held_gpus_for_so_long(writers: list[ExperimentWriter]):
    stopper = stopper_of(writers, gpu_hours=1.5)
    assert not stopper.stop_all()
    writers[0].update_trial("exp-000", gpu_seconds=3600.0)
    writers[1].update_trial("exp-000", gpu_seconds=1799.0)
    writers[1].update_trial("exp-001", status="running")  # holds none yet
    assert not stopper.stop_all()
    writers[1].update_trial("exp-001", gpu_seconds=1.0)
    assert stopper.stop_all()
    assert not stopper("exp-000", {"epoch": 1})  # no trial by itself


def test_a_run_ends_once_its_experiments_have_drawn_so_many_images(writers: list[ExperimentWriter]):
    stopper = stopper_of(writers, image_budget=1000, gpu_hours=99)
    writers[0].update_trial("exp-000", images=600, gpu_seconds=1.0)
    writers[1].update_trial("exp-000", images=399)
    writers[1].update_trial("exp-001", images=None)  # of a version that did not count them
    assert not stopper.stop_all()
    writers[1].update_trial("exp-001", images=1)
    assert stopper.stop_all()


def test_a_run_without_a_budget_goes_on(writers: list[ExperimentWriter]):
    writers[0].update_trial("exp-000", images=10**12, gpu_seconds=1e12)
    assert not stopper_of(writers).stop_all()
