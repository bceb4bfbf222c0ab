"""Which trial a refit trains again, and what is refused before anything slow starts."""

from pathlib import Path
from typing import Any

import pytest

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError, ExperimentError, PackError
from skin_tune.tuning.refit.plan import RefitPlan, RefitRequest, plan_refit
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import SMALL, trial_row, write_experiment


@pytest.fixture
def pack(make_pack: PackMaker, tmp_path: Path) -> Pack:
    """Its experiment has a trial that diverged above one with a rate of its own, and one below."""
    pack = make_pack()
    rows = {
        "exp-000": trial_row(pack, 0.4),
        "exp-001": trial_row(pack, 0.6, learning_rate=0.003),
        "exp-002": trial_row(pack, 0.9, "diverged"),
    }
    write_experiment(tmp_path / "runs", pack, rows)
    return pack


def plan_of(tmp_path: Path, **options: Any) -> RefitPlan:
    return plan_refit(RefitRequest("exp", storage=tmp_path / "runs", **options))


def test_the_best_usable_trial_is_trained_again_with_its_own_config(pack: Pack, tmp_path: Path):
    plan = plan_of(tmp_path)
    assert (plan.trial, plan.trials, plan.metric) == ("exp-001", 3, "val_balanced_acc")
    assert plan.config == TrialConfig.from_mapping({**SMALL, "learning_rate": 0.003})
    assert plan.pack.info == pack.info


def test_any_usable_trial_may_be_chosen_and_no_other(pack: Pack, tmp_path: Path):
    assert plan_of(tmp_path, trial="exp-000").trial == "exp-000"
    with pytest.raises(ExperimentError, match="'exp' has no trial 'exp-007'"):
        plan_of(tmp_path, trial="exp-007")
    with pytest.raises(ExperimentError, match="'exp-002' diverged, failed or ran no epoch"):
        plan_of(tmp_path, trial="exp-002")


def test_a_model_that_was_trained_on_validation_images_too_is_another_one(pack: Pack, tmp_path: Path):
    plain, more = plan_of(tmp_path), plan_of(tmp_path, include_val=True)
    assert (plain.model, more.model) == ("exp-001-refit", "exp-001-refit-train-val")
    assert plain.folder != more.folder
    assert plain.checkpoints != more.checkpoints


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"workers": 0}, ExperimentError, "--workers 0 is below 1"),
        ({"workers": 5}, ConfigError, "batch_size=16 is below 4 images for each of 5 workers"),
        ({"wandb": "on"}, ExperimentError, "--wandb 'on'"),
        ({"region": "chin_sagging"}, Exception, "'exp'"),
    ],
)
def test_what_cannot_be_refitted_is_refused(
    options: dict[str, Any], error: type[Exception], said: str, pack: Pack, tmp_path: Path
):
    with pytest.raises(error, match=said):
        plan_of(tmp_path, **options)


def test_a_pack_without_a_test_image_tests_nothing(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack({"train": (12, 12), "val": (4, 4), "test": (0, 0)}, name="untested")
    write_experiment(tmp_path / "runs", pack, {"exp-000": trial_row(pack, 0.5)})
    with pytest.raises(PackError, match="has no test image; prepare it with another --split"):
        plan_of(tmp_path)
