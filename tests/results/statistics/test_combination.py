"""A combination is called better only where that is more than chance."""

from pathlib import Path

import numpy as np

from skin_tune.results.statistics.combination import combination_of, combined_from, gain_of
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter

K, SUBJECTS, EACH = 3, 60, 2
METRIC = "val_balanced_acc_adjusted"


def store(
    storage: Path, rng: np.random.Generator, errors: dict[str, float], experiment: str, label: np.ndarray
) -> None:
    """Trials that miss the right class with a chance, by person: `errors` by trial."""
    subject = np.repeat(np.arange(SUBJECTS), EACH)
    writer = ExperimentWriter(storage, "lip_dryness", experiment)
    for trial, error in errors.items():
        missed = np.repeat(rng.random(SUBJECTS) < error, EACH)
        decided = np.where(missed, (label + 1) % K, label)
        score = np.mean([(decided == label)[label == grade].mean() for grade in range(K)])
        writer.update_trial(
            trial, status="completed", pack_id="p", epochs=1, best_epoch=1, started_at=now(), **{METRIC: score}
        )
        write_predictions(
            *(storage, "lip_dryness", experiment, trial, "val"),
            sources=[str(row) for row in range(len(label))],
            subjects=[str(person) for person in subject],
            labels=label,
            probabilities=np.eye(K, dtype=np.float32)[decided],
            predicted_adjusted=decided,
        )
    writer.flush()
    writer.close()


def outcome(storage: Path, seed: int, combined_error: float) -> bool:
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.choice(K, SUBJECTS, p=[0.6, 0.3, 0.1]), EACH)
    store(storage, rng, dict.fromkeys(("a", "b", "c"), 0.4), "exp", label)
    store(storage, rng, {"exp-top3": combined_error}, combination_of("exp"), label)
    return gain_of(storage, "lip_dryness", "exp", "exp-top3", METRIC).better


def test_names_go_both_ways():
    assert combined_from(combination_of("exp")) == "exp"
    assert combined_from("exp") is None


def test_nothing_better_is_called_so_in_at_most_one_case_in_twenty(tmp_path: Path):
    called = sum(outcome(tmp_path / str(seed), seed, combined_error=0.4) for seed in range(40))
    assert called <= 2


def test_what_is_clearly_better_is_called_so(tmp_path: Path):
    assert all(outcome(tmp_path / str(seed), seed, combined_error=0.02) for seed in range(3))


def test_it_is_held_against_the_trial_that_the_soft_metric_chose(tmp_path: Path):
    rng = np.random.default_rng(0)
    label = np.repeat(rng.choice(K, SUBJECTS, p=[0.6, 0.3, 0.1]), EACH)
    store(tmp_path, rng, {"right": 0.1, "soft": 0.4}, "exp", label)
    store(tmp_path, rng, {"exp-top3": 0.2}, combination_of("exp"), label)
    writer = ExperimentWriter(tmp_path, "lip_dryness", "exp")
    for trial, soft in (("right", 0.5), ("soft", 0.6)):
        writer.update_trial(trial, val_soft_macro_f1_adjusted=soft)
    writer.flush()
    writer.close()
    gain = gain_of(tmp_path, "lip_dryness", "exp", "exp-top3", "val_soft_macro_f1_adjusted")
    assert (gain.single, gain.metric) == ("soft", "val_macro_f1_adjusted")
    assert gain.difference > 0
