"""Configs that are given are run as they are, and those that cannot be run stop before anything starts."""

from pathlib import Path

import pytest

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError, ExperimentError
from skin_tune.tuning.experiment.fixed_configs import Resources, run_fixed_configs
from tests.conftest import PackMaker
from tests.tuning.stored_experiment import METRIC, SMALL, trial_row, write_experiment


def config_of(trial_id: str, **changes: object) -> dict[str, object]:
    return {**TrialConfig.from_mapping({**SMALL, **changes}).to_dict(), "trial_id": trial_id}


def test_configs_that_are_in_the_store_are_not_run_again(
    make_pack: PackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pack = make_pack()
    rows = {f"again-{seed}": trial_row(pack, 0.1 * (seed + 1), seed=seed) for seed in range(3)}
    write_experiment(tmp_path / "runs", pack, rows, name="again")
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")  # nothing is to start Ray
    configs = [config_of(trial_id, seed=row["seed"]) for trial_id, row in rows.items()]
    outcome = run_fixed_configs(configs, "again", pack, METRIC, tmp_path / "runs", Resources(wandb="disabled"))
    assert [row["trial_id"] for row in outcome.rows] == ["again-2", "again-1", "again-0"]
    assert outcome.searched == ["seed"]
    assert outcome.seconds is None


def test_nothing_starts_where_one_config_does_not_fit_the_pack(make_pack: PackMaker, tmp_path: Path):
    configs = [config_of("new-0"), config_of("new-1", image_size=64)]
    with pytest.raises(ConfigError, match="image_size=64"):
        run_fixed_configs(configs, "new", make_pack(), METRIC, tmp_path / "runs", Resources(wandb="disabled"))
    with pytest.raises(ExperimentError, match="--concurrent 0 is below 1"):
        run_fixed_configs(configs[:1], "new", make_pack(), METRIC, tmp_path / "runs", Resources(concurrent=0))
    assert not (tmp_path / "runs").exists()
