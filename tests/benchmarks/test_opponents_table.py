"""Differences between opponents, against hand computations and the comparison of trials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.compare import write_trials
from benchmarks.opponents.differences import paired_difference
from benchmarks.opponents.results import OpponentsError, Predictions, Result, write_result
from benchmarks.opponents.table import make_table
from skin_tune.results import load_predictions
from skin_tune.results.statistics.compare import compare

SUBJECTS = np.array([f"s{row}" for row in range(8)])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
RESULT = Result("loop", 0, {"pack_id": "p"}, ["a", "b"], {}, 1, 0.5, 0.5, 0.5, 0.5, 10, 10, 1, 2.0, "machine")


def said(*predicted: int) -> Predictions:
    return Predictions(SUBJECTS, LABELS, np.array(predicted))


# Recalls 1 and 1/2; 1/2 and 1/2; 3/4 and 1; 1/4 and 1.
OURS = [said(0, 0, 0, 0, 1, 1, 0, 0), said(0, 0, 0, 1, 1, 1, 1, 1)]
THEIRS = [said(0, 0, 1, 1, 1, 1, 0, 0), said(0, 1, 1, 1, 1, 1, 1, 1)]


def test_a_difference_is_the_mean_over_split_seeds():
    difference = paired_difference(OURS, THEIRS, 2, "balanced_acc", resamples=2000)
    assert difference.mean == pytest.approx(((0.75 - 0.5) + (0.875 - 0.625)) / 2)
    assert difference.low < difference.mean < difference.high


def test_the_other_way_round_it_is_its_mirror_image():
    one = paired_difference(OURS, THEIRS, 2, "macro_f1", resamples=2000)
    other = paired_difference(THEIRS, OURS, 2, "macro_f1", resamples=2000)
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low), abs=1e-6)


def test_a_test_split_that_comes_twice_tells_nothing_new():
    once = paired_difference(OURS[:1], THEIRS[:1], 2, "balanced_acc")
    twice = paired_difference(OURS[:1] * 2, THEIRS[:1] * 2, 2, "balanced_acc")
    assert twice == pytest.approx(once, abs=1e-6)


def test_one_split_gives_the_intervals_of_compared_trials(tmp_path: Path):
    write_trials(tmp_path, trials=2, images=400, subjects=60)
    rows = load_predictions(tmp_path)
    first, second = (
        Predictions(
            of["subject"].to_numpy(str), of["label"].to_numpy(), np.stack(of["probabilities"].to_list()).argmax(axis=1)
        )
        for of in (rows[rows["trial_id"] == trial] for trial in ("e-001", "e-000"))
    )
    compared = compare(tmp_path, "forehead_wrinkle", baseline="e-000").trials.set_index("trial_id").loc["e-001"]
    expected = compared[["difference", "difference_low", "difference_high"]].tolist()
    assert paired_difference([first], [second], 7, "balanced_acc") == pytest.approx(expected, abs=1e-6)


def test_different_images_do_not_pair():
    other = replace(OURS[0], subjects=SUBJECTS[::-1])
    with pytest.raises(ValueError, match="different images"):
        paired_difference([OURS[0]], [other], 2, "acc")


def shown(work: Path, reference: str | None = None) -> str:
    console = Console(width=200, record=True, quiet=False, file=(work / "table.txt").open("w"))
    console.print(make_table(work, reference))
    return console.export_text()


def write(work: Path, opponent: str, predictions: list[Predictions], **changes: object) -> None:
    for seed, each in enumerate(predictions):
        result = replace(RESULT, opponent=opponent, split_seed=seed, **changes)  # type: ignore[arg-type]
        write_result(work, result, each)


def test_the_table_shows_differences_to_the_reference(tmp_path: Path):
    write(tmp_path, "loop", THEIRS, test_balanced_acc=0.5625)
    write(tmp_path, "skin-tune", OURS, test_balanced_acc=0.8125)
    table = shown(tmp_path)
    assert "split seeds 0, 1" in table
    assert "balanced acc - skin-tune's" in table
    [loop] = [line for line in table.splitlines() if line.strip().startswith("loop")]
    assert "0.562" in loop
    assert "-0.250 [" in loop
    assert "+0.250 [" in shown(tmp_path, "loop")


def test_seeds_that_not_all_have_do_not_count(tmp_path: Path):
    write(tmp_path, "loop", THEIRS)
    write(tmp_path, "skin-tune", OURS[:1])
    assert "split seeds 0;" in shown(tmp_path)


def test_results_of_different_packs_are_not_compared(tmp_path: Path):
    write(tmp_path, "loop", THEIRS)
    write(tmp_path, "skin-tune", OURS, settings={"pack_id": "q"})
    with pytest.raises(OpponentsError, match="different packs"):
        make_table(tmp_path)
