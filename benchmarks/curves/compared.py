"""How many epochs each search needs until it is as good as the best of a table, but for 0.01."""

import itertools
import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.curves.grid import EPOCHS, VALUES
from benchmarks.curves.replay import TRIALS, Spent, searches
from benchmarks.curves.table import TESTED, Table

_NEAR = 0.01
_SCRIPT = Path(__file__).with_name("syne_tune_searches.py")


def compare_searches(table: Table, seeds: int, syne_tune: Path | None = None) -> pd.DataFrame:
    """A row per search, of `seeds` runs with 64 trials each.

    ``expected_epochs`` is the expected running time (Hansen et al. 2021, COCO): the epochs of all runs, those that
    never get there with their whole length, over the number of those that do; ``share`` is that of random search's.
    ``mean_best`` and TESTED are means over runs of the best score, and of what its model scores on the test split.
    """
    runs = {name: [search(table, seed) for seed in range(seeds)] for name, search in searches()}
    if syne_tune is not None:
        runs |= _syne_tune(table, seeds, syne_tune)
    goal = float(table.scores.max()) - _NEAR
    rows = {name: _row(of, goal) for name, of in runs.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.insert(1, "share", frame["expected_epochs"] / frame["expected_epochs"].iloc[0])
    return frame.round(3)


def _row(runs: Sequence[Spent], goal: float) -> dict[str, float]:
    reached = [run.until(goal) for run in runs]
    found = sum(epochs is not None for epochs in reached)
    spent = sum(epochs or len(run.best) for epochs, run in zip(reached, runs, strict=True))
    return {
        "expected_epochs": spent / found if found else float("inf"),
        "found": found / len(runs),
        "epochs": statistics.mean(len(run.best) for run in runs),
        "mean_best": statistics.mean(run.best[-1] for run in runs),
        **{name: statistics.mean(run.table.tested[name][run.chosen] for run in runs) for name in TESTED},
    }


def _syne_tune(table: Table, seeds: int, python: Path) -> dict[str, list[Spent]]:
    cells = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]
    content = {
        "values": VALUES,
        "epochs": EPOCHS,
        "trials": TRIALS,
        "curves": table.scores.tolist(),
        "rows": {"|".join(map(str, cell.values())): table.place(cell) for cell in cells},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.json"
        file.write_text(json.dumps(content))
        done = subprocess.run([python, _SCRIPT, file, str(seeds)], check=True, capture_output=True, text=True)
    return {
        name: [_spent(table, trials) for trials in of_method] for name, of_method in json.loads(done.stdout).items()
    }


def _spent(table: Table, trials: Sequence[tuple[int, int]]) -> Spent:
    """What a search spent whose `trials` each trained a row of the table for so many epochs."""
    spent = Spent(table)
    for row, epochs in trials:
        for _ in itertools.islice(spent.train(row), epochs):
            pass
    return spent
