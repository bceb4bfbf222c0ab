"""What `confirm`, the ablation and several regions end with, at the width of a terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from skin_tune.results.statistics.confirmation import Championship
from skin_tune.results.statistics.factorial import Factorial
from skin_tune.show import experiments as trials
from skin_tune.show import studies as given
from skin_tune.show.chosen import chosen_words
from skin_tune.tuning.experiment.runner import Outcome
from skin_tune.tuning.studies.confirm import Confirmation

LONG = "forehead_wrinkle-20261127-173012-007"
ROW = {"trial_id": LONG, "status": "stopped_early", "epochs": 3, "config/epochs": 9, "gpu_seconds": 7200.0}
OUTCOME = Outcome("forehead_wrinkle", "exp", "val_balanced_acc", [{**ROW, "val_balanced_acc": 0.5}], [], 60.0, [])


@pytest.fixture(params=(60, 80, 100, 200))
def width(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def out(width: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The lines that were printed on a terminal of that width."""
    stream = io.StringIO()
    for module in (given, trials):
        console = Console(file=stream, width=width, markup=False, highlight=False, soft_wrap=True)
        monkeypatch.setattr(module, "open_console", lambda console=console: console)
    return lambda: [line.rstrip() for line in stream.getvalue().splitlines()]


def check(lines: list[str], width: int, *whole: str) -> None:
    """Fail where a table is cut, or wider than the terminal, or lacks one of the words in `whole`."""
    text = "\n".join(lines)
    assert "…" not in text
    assert all(len(line) <= width for line in lines if line.startswith(" "))
    for word in whole:
        assert word in text


def test_a_confirmation(out: Callable[[], list[str]], width: int):
    figures = {"mean": 0.6, "low": 0.5, "high": 0.7, "spread": 0.02, "difference": -0.01, "within_noise": True}
    rows = [
        {**figures, "trial_id": name, "difference_low": -0.1, "difference_high": 0.1}
        for name in (LONG, f"{LONG[:-1]}8")
    ]
    result = Championship(pd.DataFrame(rows), LONG, [], 1)
    done = Confirmation("forehead_wrinkle", "exp-confirm", "val_balanced_acc", {}, OUTCOME)
    given.print_confirmation(done, result, Path("runs"))
    check(out(), width + 3 if width == 60 else width, f" {LONG} ", f"skin-tune refit exp --trial {LONG} --storage runs")
    assert "mean of 1 seed" in " ".join(out())


def test_a_confirmation_by_folds(out: Callable[[], list[str]], width: int):
    figures = {"mean": 0.6, "low": 0.5, "high": 0.7, "spread": 0.02, "difference": -0.01, "within_noise": True}
    rows = [
        {**figures, "trial_id": name, "difference_low": -0.1, "difference_high": 0.1}
        for name in (LONG, f"{LONG[:-1]}8")
    ]
    result = Championship(pd.DataFrame(rows), LONG, [], 2, folds=5, expected=0.58)
    done = Confirmation("forehead_wrinkle", "exp-confirm-folds5", "val_balanced_acc", {}, OUTCOME)
    given.print_confirmation(done, result, Path("runs"))
    check(
        out(),
        width + 3 if width == 60 else width,
        "x 5 folds",
        f"skin-tune refit exp --trial {LONG} --include-val --storage runs",
        "its mean of 0.600 was chosen as the best of 2, which flatters it by about 0.020: 0.580 is to be expected",
        "over the subjects of train and val and seeds",
    )


@pytest.mark.parametrize(
    ("value", "expected", "less", "words"),
    [
        (0.52, 0.50, False, "best of 12, which flatters it by about 0.020: 0.500 is to be expected"),
        (0.52, 0.5197, False, "best of 12, which hardly flatters it: 0.520 is to be expected"),
        (0.52, 0.53, False, "best of 12, which hardly flatters it: 0.530 is to be expected"),
        (0.40, 0.45, True, "best of 12, which flatters it by about 0.050: 0.450 is to be expected"),
    ],
)
def test_a_chosen_figure_is_said_to_be_flattered(value: float, expected: float, less: bool, words: str):
    assert words in chosen_words(12, value, expected, less_is_better=less)


@pytest.mark.parametrize("ends", [("",), ("", "_adjusted")], ids=["plain", "adjusted, too"])
def test_an_ablation(out: Callable[[], list[str]], width: int, ends: tuple[str, ...]):
    metrics = [f"val_{name}{end}" for end in ends for name in ("balanced_acc", "macro_f1")]
    levels = {"loss": "class-balanced", "oversampling": "balanced", "augmentation": "off"}
    scores = {f"{metric}{bound}": 0.5 for metric in metrics for bound in ("", "_low", "_high")}
    cells = pd.DataFrame([{**levels, **scores, "val_acc": 0.5, "val_recall_6": 0.1, "val_recall_5": 0.2}])
    effects = pd.DataFrame(
        [
            {"effect": "class-balanced loss", "metric": metric, "value": 0.1, "low": 0.05, "high": 0.2}
            for metric in metrics
        ]
    )
    given.print_ablation(Factorial(1, ["6", "5"], cells, effects), [], Path("ablation.html"))
    check(out(), max(width, 68), "class-balanced", "0.500 [0.500, 0.500]", "0.100 [0.050, 0.200]")
    if width >= 100:
        assert ("on adj. balanced acc" in "\n".join(out())) == ("_adjusted" in ends)


def test_several_regions(out: Callable[[], list[str]], width: int):
    trials.print_outcomes({"forehead_wrinkle": OUTCOME}, Path("runs"), 2.0)
    check(out(), max(width, 71), f" {LONG}", "0.500")
    assert ("GPU-hours" in " ".join(out()[:1])) == (width >= 100)
