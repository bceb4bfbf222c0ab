import pytest

from skin_tune.errors import ExperimentError
from skin_tune.tuning.experiment import ranked
from skin_tune.tuning.plan import parse_duration
from skin_tune.tuning.progress import duration, progress_line


def test_the_line_tells_done_running_best_pace_and_time_left():
    rows = [
        {"status": "completed", "val_balanced_acc": 0.41},
        {"status": "stopped_early", "val_balanced_acc": 0.2},
        {"status": "failed"},
        {"status": "running", "val_balanced_acc": 0.5124},
    ]
    assert progress_line(rows, "val_balanced_acc", 12, 90) == (
        "3/12 trials done (1 stopped early, 1 failed), 1 running | best val_balanced_acc 0.512 "
        "| 2.0 trials/min, 4m30s left"
    )


def test_before_the_first_trial_ends_there_is_no_pace():
    assert progress_line([{"status": "running"}], "val_balanced_acc", 4, 61) == "0/4 trials done, 1 running | 1m01s"


@pytest.mark.parametrize(("seconds", "text"), [(4.6, "5s"), (200, "3m20s"), (7500, "2h05m")])
def test_durations_read_well(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("2h", 7200), ("1h30m", 5400)])
def test_time_budgets_are_read(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "2d", "h", "-5m", "1.5h", "m30"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ExperimentError, match="is not a duration"):
        parse_duration(text)


def test_a_diverged_trial_never_wins():
    rows = [
        {"trial_id": "a", "status": "diverged", "val_balanced_acc": 0.9},
        {"trial_id": "b", "status": "completed", "val_balanced_acc": 0.3},
        {"trial_id": "c", "status": "stopped_early", "val_balanced_acc": 0.4},
        {"trial_id": "d", "status": "failed"},
    ]
    assert [row["trial_id"] for row in ranked(rows, "val_balanced_acc")] == ["c", "b", "a", "d"]
