from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from skin_tune.errors import StoreError
from skin_tune.results.statistics.compare import compare
from skin_tune.results.statistics.confirmation import Championship, championship
from skin_tune.results.statistics.run_names import (
    confirmation_of,
    confirmed_by,
    fold_run_of,
    folds_of,
    run_of,
    runs_by_config,
)
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.tables import load_trials
from skin_tune.results.store.writer import ExperimentWriter

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


FOLDS = 3
OUT_OF_FOLD = "exp-confirm-folds3"


def write_folds(
    storage: Path, skill: Mapping[str, float], status: Mapping[str, str] | None = None, shift: int = 0, classes: int = 3
) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """Runs of three folds of two seeds each; what all folds of a run say: labels and predicted classes by run.

    Shifted by a photo, folds have subjects in common. Of more than three classes nobody has the last ones.
    """
    labels = np.repeat(np.arange(SUBJECTS) % 3, PHOTOS)
    writer = ExperimentWriter(storage, "lip_dryness", OUT_OF_FOLD)
    said = {}
    for number, (config, share) in enumerate(skill.items()):
        for seed in range(2):
            rng = np.random.default_rng([seed, number])
            right = rng.random(len(labels)) < share
            predicted = np.where(right, labels, rng.integers(0, 3, len(labels)))
            said[config, seed] = labels, predicted
            fold_of_row = (np.arange(len(labels)) + shift) // PHOTOS % FOLDS
            for fold in range(FOLDS):
                run, own = fold_run_of(run_of(config, seed), fold), np.flatnonzero(fold_of_row == fold)
                state = (status or {}).get(run, "completed")
                writer.update_trial(
                    run, status=state, pack_id="p", epochs=1, val_balanced_acc=0.5, seed=seed, fold=fold, folds=FOLDS
                )
                write_predictions(
                    storage,
                    "lip_dryness",
                    OUT_OF_FOLD,
                    run,
                    "oof",
                    sources=[str(row) for row in own],
                    subjects=[f"s{row // PHOTOS}" for row in own],
                    labels=labels[own],
                    probabilities=np.eye(classes, dtype=np.float32)[predicted[own]],
                    predicted_adjusted=2 - predicted[own],
                    about={"device": [f"{row % 2}" for row in own]},
                )
    writer.flush()
    writer.close()
    return said


def championship_of_folds(storage: Path, metric: str = "val_balanced_acc") -> Championship:
    ids = load_trials(storage, experiment=OUT_OF_FOLD)["trial_id"]
    return championship(storage, "lip_dryness", OUT_OF_FOLD, runs_by_config(ids), metric)


def test_the_predictions_of_all_folds_together_are_those_of_a_run(tmp_path: Path):
    said = write_folds(tmp_path, {"exp-001": 0.3, "exp-002": 0.8})
    result = championship_of_folds(tmp_path)
    assert (result.champion, result.seeds, result.folds) == ("exp-002", 2, FOLDS)
    for row in result.configs.to_dict("records"):
        scores = [balanced_accuracy_score(*said[row["trial_id"], seed]) for seed in range(2)]
        assert row["mean"] == pytest.approx(np.mean(scores))
        assert row["spread"] == pytest.approx(np.std(scores, ddof=1))
    assert (result.configs["low"] < result.configs["mean"]).all()
    by_f1 = championship_of_folds(tmp_path, "val_macro_f1").winner
    assert by_f1["mean"] == pytest.approx(np.mean([f1_score(*said["exp-002", n], average="macro") for n in range(2)]))


def test_the_adjusted_decision_is_judged_out_of_fold_too(tmp_path: Path):
    said = write_folds(tmp_path, {"exp-001": 0.3, "exp-002": 0.8})
    result = championship_of_folds(tmp_path, "val_balanced_acc_adjusted")
    for row in result.configs.to_dict("records"):
        of_config = [said[row["trial_id"], seed] for seed in range(2)]
        scores = [balanced_accuracy_score(labels, 2 - predicted) for labels, predicted in of_config]
        assert row["mean"] == pytest.approx(np.mean(scores))


def test_a_config_of_which_a_fold_failed_is_out_and_one_that_was_interrupted_is_waited_for(tmp_path: Path):
    write_folds(tmp_path / "one", {"exp-001": 0.9, "exp-002": 0.4}, {"exp-001-seed1-fold2": "failed"})
    result = championship_of_folds(tmp_path / "one")
    assert (result.champion, result.failed) == ("exp-002", ["exp-001"])
    write_folds(tmp_path / "two", {"exp-001": 0.9, "exp-002": 0.4}, {"exp-001-seed1-fold2": "interrupted"})
    with pytest.raises(StoreError, match="exp-001 were interrupted; the same command resumes"):
        championship_of_folds(tmp_path / "two")


def test_the_trials_of_a_region_are_compared_without_runs_of_folds(tmp_path: Path):
    write_runs(tmp_path, {"exp-001": 0.5})
    write_folds(tmp_path, {"exp-001": 0.3, "exp-002": 0.8})
    found = compare(tmp_path, "lip_dryness", resamples=10)
    assert set(found.trials["experiment"]) == {"exp-confirm"}
    assert not [note for note in found.notes if "not compared" in note]


def test_a_confirmation_with_folds_that_is_named_is_compared_out_of_fold_and_by_group(tmp_path: Path):
    said = write_folds(tmp_path, {"exp-001": 0.3, "exp-002": 0.8})
    found = compare(tmp_path, "lip_dryness", OUT_OF_FOLD, by="device", resamples=50)
    assert (found.split, found.images, found.subjects) == ("oof", SUBJECTS * PHOTOS, SUBJECTS)
    scores = found.trials.set_index("trial_id")["val_balanced_acc"].to_dict()
    for config, seed in said:
        assert scores[run_of(config, seed)] == pytest.approx(balanced_accuracy_score(*said[config, seed]))
    assert found.groups is not None
    assert found.groups.groupby("trial_id")["subjects"].agg(list).tolist() == [[SUBJECTS] * 2] * 4
    first = found.groups.iloc[0]
    labels, predicted = said["exp-002", int(first["trial_id"][-1])]
    own = np.arange(len(labels)) % 2 == 0
    assert first["val_balanced_acc"] == pytest.approx(balanced_accuracy_score(labels[own], predicted[own]))


def test_a_class_that_nobody_has_is_not_told_of_as_one_of_validation(tmp_path: Path):
    write_folds(tmp_path, {"exp-001": 0.8}, classes=4)
    notes = compare(tmp_path, "lip_dryness", OUT_OF_FOLD, resamples=10).notes
    assert "no image is of grade 3: balanced accuracy is over the other grades" in notes


def test_folds_that_share_a_subject_do_not_belong_together(tmp_path: Path):
    write_folds(tmp_path, {"exp-001": 0.9, "exp-002": 0.4}, shift=1)
    with pytest.raises(StoreError, match=r"'s\d+' is in two folds of exp-001-seed0"):
        championship_of_folds(tmp_path)


def test_what_the_best_of_equal_configs_is_worth_elsewhere_is_less_than_what_it_shows(tmp_path: Path):
    runs = write_runs(tmp_path, {f"exp-{number:03d}": 0.5 for number in range(8)})
    result = championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
    best, mean = result.configs["mean"].max(), result.configs["mean"].mean()
    assert mean - 0.01 < result.expected < best
    alone = championship(tmp_path, "lip_dryness", "exp-confirm", {"exp-001": runs["exp-001"]}, "val_balanced_acc")
    assert np.isnan(alone.expected)


@pytest.mark.parametrize("folds", [None, 5])
def test_the_name_of_a_confirmation_says_what_it_confirms_and_by_how_many_folds(folds: int | None):
    for experiment in ("exp", "exp-confirm", "a-folds3"):
        name = confirmation_of(experiment, folds)
        assert confirmed_by(name) == experiment
        assert folds_of(name) == folds
    assert confirmed_by("exp-folds5") is None
    assert folds_of("exp-folds5") is None


def test_configs_are_compared_by_the_seeds_that_all_were_run_with():
    runs = [run_of("exp-1", 1), run_of("exp-1", 2), run_of("exp-2-seeded", 2), run_of("exp-2-seeded", 3)]
    assert runs_by_config(runs) == {"exp-1": ["exp-1-seed2"], "exp-2-seeded": ["exp-2-seeded-seed2"]}
    assert runs_by_config([]) == {}
    folds = [fold_run_of(run_of("exp-1", 1), fold) for fold in range(3)]
    assert runs_by_config(folds) == {"exp-1": ["exp-1-seed1"]}


def test_configs_without_a_common_seed_do_not_compare(tmp_path: Path):
    write_runs(tmp_path, {"exp-001": 0.5})
    runs = runs_by_config([run_of("exp-001", 0), run_of("exp-002", 1)])
    with pytest.raises(StoreError, match="no seed in common"):
        championship(tmp_path, "lip_dryness", "exp-confirm", runs, "val_balanced_acc")
