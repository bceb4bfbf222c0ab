"""An experiment from request to ranked trials, as far as no cluster is needed."""

from typing import Any

from skin_tune.tuning.experiment.runner import ranked


def test_a_diverged_trial_never_wins():
    rows: list[dict[str, Any]] = [
        {"trial_id": "a", "status": "diverged", "val_balanced_acc": 0.9},
        {"trial_id": "b", "status": "completed", "val_balanced_acc": 0.3},
        {"trial_id": "c", "status": "stopped_early", "val_balanced_acc": 0.4},
        {"trial_id": "d", "status": "failed"},
    ]
    assert [row["trial_id"] for row in ranked(rows, "val_balanced_acc")] == ["c", "b", "a", "d"]
