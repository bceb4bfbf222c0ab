from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from skin_tune.errors import StoreError
from skin_tune.results.statistics.confirmation import championship, run_of, runs_by_config
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import ExperimentWriter

SUBJECTS, PHOTOS, SEEDS = 60, 4, 4


def write_runs(
    storage: Path, skill: Mapping[str, float], status: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """Runs of configs that are right with probability `skill` beyond chance; each subject's photos have one grade."""
    labels = np.repeat(np.arange(SUBJECTS) % 3, PHOTOS)
    writer = ExperimentWriter(storage, "lip_dryness", "exp-confirm")
    runs: dict[str, list[str]] = {}
    for number, (config, share) in enumerate(skill.items()):
        for seed in range(SEEDS):
            trial_id = f"{config}-seed{seed}"
            rng = np.random.default_rng([seed, number])
            right = rng.random(len(labels)) < share
            predicted = np.where(right, labels, rng.integers(0, 3, len(labels)))
            runs.setdefault(config, []).append(trial_id)
            state = (status or {}).get(trial_id, "completed")
            writer.update_trial(trial_id, status=state, started_at=now(), pack_id="p", epochs=1, val_balanced_acc=0.5)
            write_predictions(
                storage,
                "lip_dryness",
                "exp-confirm",
                trial_id,
                "val",
                sources=[str(row) for row in range(len(labels))],
                subjects=[f"s{row // PHOTOS}" for row in range(len(labels))],
                labels=labels,
                probabilities=np.eye(3, dtype=np.float32)[predicted],
            )
    writer.flush()
    writer.close()
    return runs


def test_a_clear_lead_is_no_noise(tmp_path: Path):
    runs = write_runs(tmp_path, {"exp-001": 0.2, "exp-007": 0.8, "exp-003": 0.3})
    result = championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
    assert result.champion == "exp-007"
    assert result.configs["trial_id"].tolist() == ["exp-007", "exp-003", "exp-001"]
    assert not result.configs["within_noise"].any()
    best, *others = result.configs.to_dict("records")
    assert best["low"] < best["mean"] < best["high"]
    assert all(row["difference_high"] < 0 for row in others)


def test_a_small_lead_is_within_noise(tmp_path: Path):
    runs = write_runs(tmp_path, {"exp-001": 0.5, "exp-002": 0.5})
    result = championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_macro_f1")
    rival = result.configs[result.configs["trial_id"] != result.champion].iloc[0]
    assert rival["within_noise"]
    assert rival["difference_low"] <= 0 <= rival["difference_high"]


def test_a_config_of_which_a_run_failed_cannot_be_champion(tmp_path: Path):
    runs = write_runs(tmp_path, {"exp-001": 0.9, "exp-002": 0.4}, {"exp-001-seed2": "diverged"})
    result = championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
    assert result.champion == "exp-002"
    assert result.failed == ["exp-001"]
    with pytest.raises(StoreError, match="none can be champion"):
        championship(tmp_path, "lip_dryness", "exp-confirm", {"exp-001": runs["exp-001"]}, "val_balanced_acc")


def test_runs_that_were_cut_off_are_waited_for(tmp_path: Path):
    runs = write_runs(tmp_path, {"exp-001": 0.9, "exp-002": 0.4}, {"exp-002-seed3": "stopped_early"})
    with pytest.raises(StoreError, match="exp-002 were interrupted; the same command resumes"):
        championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")


def test_one_seed_gives_an_interval_over_subjects_alone(tmp_path: Path):
    runs = {config: ids[:1] for config, ids in write_runs(tmp_path, {"exp-001": 0.5, "exp-002": 0.6}).items()}
    result = championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
    assert result.configs["spread"].isna().all()
    assert (result.configs["low"] < result.configs["high"]).all()


def test_configs_are_compared_by_the_seeds_that_all_were_run_with():
    runs = [run_of("exp-1", 1), run_of("exp-1", 2), run_of("exp-2-seeded", 2), run_of("exp-2-seeded", 3)]
    assert runs_by_config(runs) == {"exp-1": ["exp-1-seed2"], "exp-2-seeded": ["exp-2-seeded-seed2"]}
    assert runs_by_config([]) == {}


def test_configs_without_a_common_seed_do_not_compare(tmp_path: Path):
    write_runs(tmp_path, {"exp-001": 0.5})
    runs = runs_by_config([run_of("exp-001", 0), run_of("exp-002", 1)])
    with pytest.raises(StoreError, match="no seed in common"):
        championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
