"""The line that tells how far an experiment is."""

from typing import Any

import pytest

from skin_tune.tuning.tracking.progress_line import progress_line


def row(status: str, epochs: int, full: int = 6, score: float | None = None) -> dict[str, Any]:
    return {"status": status, "epochs": epochs, "config/epochs": full, "val_balanced_acc": score}


MIXED = [
    row("completed", 6, score=0.41),
    row("stopped_early", 1, score=0.2),
    row("failed", 0),
    row("running", 2, score=0.5124),
    row("running", 0),
]


def line(rows: list[dict[str, Any]], trials: int, seconds: float, **options: Any) -> str:
    return progress_line(rows, "val_balanced_acc", trials, seconds, **options)


def test_the_line_tells_done_running_epochs_best_pace_and_time_left():
    # 9 epochs in 90 s. Trials that are over have run 3.5 each: 1.5 and 3.5 more of those that run, 3.5 of the next 7.
    assert line(MIXED, 12, 90) == (
        "3/12 trials done (1 stopped early, 1 failed), 2 running, in epochs 3/6 1/6 | best val_balanced_acc 0.512 "
        "| 2.0 trials/min, about 4m55s left"
    )


def test_until_a_trial_is_over_the_time_left_is_that_of_trials_that_run_to_their_end():
    assert line([row("running", 2)], 3, 20) == "0/3 trials done, 1 running, in epoch 3/6 | at most 2m40s left"


def test_a_trial_that_has_run_longer_than_most_runs_to_its_end():
    rows = [*[row("stopped_early", 1)] * 4, row("running", 3)]
    assert line(rows, 5, 70).endswith("about 30s left")


def test_before_the_first_epoch_ends_it_is_what_is_waited_for():
    assert line([], 3, 7) == "0/3 trials done | starting the first trials, 7s"
    assert line([row("running", 0)], 3, 61) == "0/3 trials done, 1 running, in epoch 1/6 | in the first epoch for 1m01s"


def test_what_was_done_before_a_resume_tells_no_pace_and_what_waits_is_not_done():
    rows = [row("completed", 6, score=0.4), row("completed", 6), row("waiting", 3)]
    assert line(rows, 4, 5, done_before=2, epochs_before=15) == (
        "2/4 trials done | best val_balanced_acc 0.400 | starting the first trials, 5s"
    )
    going = [*rows[:2], row("running", 4)]
    assert line(going, 4, 10, done_before=2, epochs_before=15).endswith("at most 1m20s left")


def test_the_end_tells_how_long_it_took():
    assert line([row("completed", 6)], 1, 65) == "1/1 trials done | 1m05s"


def test_many_epochs_are_told_as_a_range():
    rows = [row("running", epoch) for epoch in range(1, 7)]
    assert ", 6 running, in epochs 2 to 7 of 9 |" in line([{**each, "config/epochs": 9} for each in rows], 8, 9)


@pytest.mark.parametrize("width", range(40, 160, 7))
def test_the_time_left_is_told_at_any_width(width: int):
    shown = line(MIXED, 12, 90, width=width)
    assert shown.startswith("3/12 trials done")
    assert shown.endswith("about 4m55s left")
    assert len(shown) <= max(width, 46)
