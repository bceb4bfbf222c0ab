"""A search is settled once none of its last trials beat the best by more than its noise."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skin_tune.results.statistics.settled import UNBEATEN, noise_of_trial, when_settled
from skin_tune.results.store.predictions import write_predictions

METRIC = "val_soft_macro_f1_adjusted"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def ended(scores: Sequence[float | None]) -> list[dict[str, Any]]:
    """Rows of trials that ended one after the other, those without a score failed."""
    return [
        {
            "trial_id": f"exp-{number:03d}",
            "status": "failed" if score is None else "completed",
            METRIC: score,
            "ended_at": BEGAN + timedelta(minutes=number),
        }
        for number, score in enumerate(scores)
    ]


def noise(trial_id: str) -> float:
    return 0.05


def test_a_search_is_settled_once_enough_trials_have_not_beaten_the_best():
    scores = [0.3, 0.5, *[0.4] * (UNBEATEN - 1)]
    assert when_settled(ended(scores), METRIC, noise) is None
    found = when_settled(ended([*scores, 0.54]), METRIC, noise)
    assert found is not None
    assert (found.trials, found.best, found.noise) == (2 + UNBEATEN, "exp-001", 0.05)
    assert str(found) == ("settled after 34 trials: none of the last 32 beat exp-001 by more than its noise, 0.050")


def test_steps_smaller_than_the_noise_count_together():
    steps = [0.5, *np.linspace(0.5, 0.7, 2 * UNBEATEN).tolist()]
    assert when_settled(ended(steps), METRIC, noise) is None
    assert when_settled(ended(steps), METRIC, lambda trial_id: 0.2) is not None


def test_a_trial_that_fails_beats_nothing_and_without_a_best_nothing_is_settled():
    assert when_settled(ended([0.5, *[None] * UNBEATEN]), METRIC, noise) is not None
    assert when_settled(ended([None] * 3 * UNBEATEN), METRIC, noise) is None


def test_trials_count_in_the_order_of_their_ends_and_running_ones_not_at_all():
    rows = ended([0.9, *[0.4] * UNBEATEN])
    late = [*rows[1:], {**rows[0], "ended_at": BEGAN + timedelta(days=1)}]
    assert when_settled(rows, METRIC, noise) is not None
    assert when_settled(late, METRIC, noise) is None
    running = [{**row, "status": "running", "ended_at": None} for row in rows[1:]]
    assert when_settled([rows[0], *running], METRIC, noise) is None


def test_what_settled_a_search_stays_whatever_comes_after():
    scores = [0.5, *[0.4] * UNBEATEN]
    assert when_settled(ended([*scores, 0.9]), METRIC, noise) == when_settled(ended(scores), METRIC, noise)


def write(storage: Path, hits: np.ndarray, subjects: list[str]) -> None:
    """Predictions of two classes, the images of the first class right or wrong as `hits` says, the others right."""
    labels = np.repeat([0, 1], len(hits))
    predicted = np.concatenate([1 - hits.astype(np.int64), np.ones(len(hits), np.int64)])
    write_predictions(
        *(storage, "lip_dryness", "exp", "exp-000", "val"),
        sources=[str(row) for row in range(len(labels))],
        subjects=subjects,
        labels=labels,
        probabilities=np.eye(2, dtype=np.float32)[1 - predicted],
        predicted_adjusted=predicted,
    )


def test_the_noise_of_a_trial_is_its_standard_error_over_people(tmp_path: Path):
    hits = np.arange(200) % 4 > 0
    write(tmp_path, hits, [f"s{row % 200}" for row in range(400)])  # each person has an image of either class
    found = noise_of_trial(tmp_path, "lip_dryness", "exp", "val_balanced_acc_adjusted", "exp-000")
    assert found == pytest.approx(np.sqrt(0.75 * 0.25 / 200) / 2, rel=0.1)


def test_of_a_single_person_no_noise_is_known(tmp_path: Path):
    write(tmp_path, np.arange(8) % 2 > 0, ["s"] * 16)
    assert noise_of_trial(tmp_path, "lip_dryness", "exp", METRIC, "exp-000") == 0
    assert noise_of_trial(tmp_path, "lip_dryness", "exp", METRIC, "exp-001") == 0
