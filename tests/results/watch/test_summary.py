"""How far an experiment has come, by the rows of its trials."""

from typing import Any

import pytest

from skin_tune.results.watch.summary import states, summary

METRIC = "val_balanced_acc"


def row(name: str, status: str, epochs: int, score: float | None = None, **more: Any) -> dict[str, Any]:
    ended = None if status in ("running", "interrupted") else "then"
    figures = {"seconds": 10.0 * epochs, "gpu_seconds": 5.0 * epochs, "images": 100 * epochs, "ended_at": ended}
    return {"trial_id": name, "status": status, "epochs": epochs, "config/epochs": 6, METRIC: score, **figures, **more}


MIXED = [
    row("a", "completed", 6, 0.41, best_epoch=4),
    row("b", "stopped_early", 1, 0.2),
    row("c", "diverged", 2, 0.99),
    row("d", "running", 2, 0.3),
    row("e", "running", 0),
]


def test_it_tells_what_is_over_what_runs_the_best_and_the_cost():
    found = summary(states(MIXED, True), METRIC, 12, 3.0, True)
    assert (found["state"], found["over"], found["trials"]) == ("state_running", 3, 12)
    assert found["asides"] == {"stopped_early": 1, "diverged": 1}
    assert found["running"] == [["d", 2, 6], ["e", 0, 6]]
    assert found["best"] == ["a", 0.41, 4]  # what diverged never wins
    assert (found["epochs"], found["images"]) == (11, 1100)
    assert found["hours"] == pytest.approx(110 / 3600)
    assert found["money"] == pytest.approx(3 * 55 / 3600)


def test_the_time_left_is_that_of_the_epochs_left_at_the_pace_so_far_in_as_many_places():
    # Trials that are over have run 3.5 epochs each: 1.5 and 3.5 more of those that run, 3.5 of the next 7, 10 s each,
    # two at a time.
    assert summary(states(MIXED, True), METRIC, 12, None, True)["left"] == "2m28s"


@pytest.mark.parametrize(("rows", "trials"), [(MIXED, None), (MIXED[:3], 12), ([row("e", "running", 0)], 12), ([], 12)])
def test_where_nothing_tells_the_time_left_none_is_told(rows: list[dict[str, Any]], trials: int | None):
    assert summary(states(rows, True), METRIC, trials, None, True)["left"] is None


def test_a_trial_whose_run_was_killed_does_not_run():
    found = summary(states(MIXED, False), METRIC, 12, None, False)
    assert (found["state"], found["running"], found["over"]) == ("state_idle", [], 3)
    assert states(MIXED, False)[3]["status"] == "waiting"
    assert states(MIXED, None)[3]["status"] == "running"  # of another machine nothing is known


@pytest.mark.parametrize(
    ("rows", "trials", "held", "state"),
    [
        (MIXED[:3], 12, True, "state_starting"),
        (MIXED[:3], 12, False, "state_idle"),
        (MIXED[:3], 3, True, "state_done"),
        (MIXED[:3], None, False, "state_done"),
        ([row("f", "interrupted", 2)], None, False, "state_idle"),
        ([row("f", "interrupted", 2)], None, True, "state_starting"),
    ],
)
def test_the_state_is_told_where_no_trial_runs(rows: list[dict[str, Any]], trials: int | None, held: bool, state: str):
    assert summary(states(rows, held), METRIC, trials, None, held)["state"] == state
