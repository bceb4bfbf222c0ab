"""Which configs are confirmed, with which seeds, and under which names."""

from pathlib import Path
from typing import Any

import pytest

from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError, ExperimentError, PackError
from skin_tune.tuning.experiment.fixed_configs import Resources
from skin_tune.tuning.studies.confirm import Confirmation, ConfirmRequest, run_confirm
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import trial_row, write_experiment

RATES = {"exp-000": 0.001, "exp-001": 0.002, "exp-002": 0.003, "exp-003": 0.004}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the store is not to be run."""
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")


@pytest.fixture
def pack(make_pack: PackMaker, tmp_path: Path) -> Pack:
    """Its experiment has seed 3; the best of its trials diverged."""
    pack = make_pack()
    rows = {
        trial: trial_row(pack, score, status, seed=3, learning_rate=RATES[trial])
        for trial, score, status in (
            ("exp-000", 0.5, "completed"),
            ("exp-001", 0.7, "stopped_early"),
            ("exp-002", 0.9, "diverged"),
            ("exp-003", 0.6, "completed"),
        )
    }
    write_experiment(tmp_path / "runs", pack, rows)
    return pack


def confirm(tmp_path: Path, **options: Any) -> Confirmation:
    resources = Resources(wandb="disabled")
    return run_confirm(ConfirmRequest("exp", storage=tmp_path / "runs", resources=resources, **options))


def test_the_best_usable_configs_are_run_with_seeds_after_the_experiment_s_own(pack: Pack, tmp_path: Path):
    runs = {
        f"{trial}-seed{seed}": trial_row(pack, 0.1 * seed, seed=seed, learning_rate=RATES[trial])
        for trial in ("exp-001", "exp-003")
        for seed in (4, 5)
    }
    write_experiment(tmp_path / "runs", pack, runs, name="exp-confirm")
    found = confirm(tmp_path, top=2, seeds=2)
    assert list(found.runs) == ["exp-001", "exp-003"], "best first"
    assert found.runs["exp-001"] == ["exp-001-seed4", "exp-001-seed5"]
    assert (found.region, found.experiment, found.metric) == ("lip_dryness", "exp-confirm", "val_balanced_acc")
    assert {row["trial_id"] for row in found.outcome.rows} == set(runs)


def test_with_folds_each_seed_is_a_run_of_every_fold(pack: Pack, tmp_path: Path):
    runs = {
        f"exp-001-seed{seed}-fold{fold}": trial_row(pack, 0.5, seed=seed, learning_rate=RATES["exp-001"])
        for seed in (4, 5)
        for fold in range(3)
    }
    write_experiment(tmp_path / "runs", pack, runs, name="exp-confirm-folds3")
    found = confirm(tmp_path, top=1, seeds=2, folds=3)
    assert found.runs == {"exp-001": ["exp-001-seed4", "exp-001-seed5"]}
    assert found.experiment == "exp-confirm-folds3"
    assert {row["trial_id"] for row in found.outcome.rows} == set(runs)


def test_folds_that_cannot_be_made_are_refused_before_anything_starts(pack: Pack, tmp_path: Path):
    with pytest.raises(ExperimentError, match="--folds 1 is below 2"):
        confirm(tmp_path, folds=1)
    with pytest.raises(PackError, match=r"--folds 61 leaves a fold without people: pack .* has 60 in train and val"):
        confirm(tmp_path, folds=61)
    rows = {"exp-000": trial_row(pack, 0.5, batch_size=42)}
    write_experiment(tmp_path / "large", pack, rows)
    with pytest.raises(ConfigError, match="batch_size=42 is larger than the training set of 30 images"):
        run_confirm(ConfirmRequest("exp", folds=2, storage=tmp_path / "large", resources=Resources(wandb="disabled")))
    assert not list((tmp_path / "large" / "experiments" / "lip_dryness").glob("exp-confirm*"))


def test_what_there_is_nothing_of_cannot_be_confirmed(pack: Pack, make_pack: PackMaker, tmp_path: Path):
    for flag in ("top", "seeds"):
        with pytest.raises(ExperimentError, match=f"--{flag} 0 is below 1"):
            confirm(tmp_path, **{flag: 0})
    other = make_pack(name="other", seed=1)
    with pytest.raises(PackError, match=f"is pack {other.info.pack_id}"):
        confirm(tmp_path, pack=other.path)
    write_experiment(tmp_path / "failed", pack, {"exp-000": trial_row(pack, 0.5, "failed")})
    with pytest.raises(ExperimentError, match="every trial of 'exp' diverged, failed"):
        run_confirm(ConfirmRequest("exp", storage=tmp_path / "failed"))


def test_a_config_that_the_pack_no_longer_fits_is_refused_before_anything_starts(pack: Pack, tmp_path: Path):
    rows = {"exp-000": trial_row(pack, 0.5, image_size=64)}
    write_experiment(tmp_path / "large", pack, rows)
    with pytest.raises(ConfigError, match="image_size=64"):
        run_confirm(ConfirmRequest("exp", storage=tmp_path / "large", resources=Resources(wandb="disabled")))
    assert not (tmp_path / "large" / "experiments" / "lip_dryness" / "exp-confirm").exists()
