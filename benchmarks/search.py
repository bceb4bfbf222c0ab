"""Epochs until a search has found what a random search finds with full-length trials, on the artificial sample.

The space is the default one with a smaller network and smaller images. Most photos are for validation: with a few dozen
of them luck decides which trial is the best. Each search is a `skin-tune tune` of its own on one core, one trial at a
time, so that its epochs have an order; as many searches run side by side as there are cores.
"""

import copy
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from benchmarks.rows import Row
from skin_tune.data.preparation.prepare import prepare
from skin_tune.data.sources.request import PrepareRequest
from skin_tune.data.synthetic.dataset import draw_sample
from skin_tune.results import load_epochs
from skin_tune.tuning.search.asha import rungs_of
from skin_tune.tuning.space.sweep_file import load_space

_SEEDS = (0, 1, 2)
_SUBJECTS, _SPLIT, _SIZE = 100, (40, 55, 5), 32
_REGION, _METRIC = "forehead_wrinkle", "val_balanced_acc"
_TRIALS = {"random": 32, "default": 64}
_NEAR = 0.01
_ORDERS = 100
_SPACES = Path(__file__).parents[1] / "search_spaces"
_DEFAULT, _SAMPLE = (yaml.safe_load((_SPACES / f"{name}.yaml").read_text()) for name in ("default", "sample"))

Search = list[npt.NDArray[np.float64]]
"""A search's trials in their order, each by its score after every epoch."""

Run = tuple[float, bool]
"""Epochs until a search has reached a goal, or all of its epochs; whether it has."""


def measure() -> list[Row]:
    """Two hours on 2 cores, most of them random search."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_sample(folder / "photos", subjects=_SUBJECTS, seed=0)
        prepare(PrepareRequest([folder / "photos"], _REGION, size=_SIZE, split_ratios=_SPLIT, out=folder))
        for kind in _TRIALS:
            _write_space(folder, kind)
        with ThreadPoolExecutor(os.cpu_count()) as cores:
            searches = [cores.submit(_search, folder, kind, seed) for kind in _TRIALS for seed in _SEEDS]
        for search in searches:
            search.result()
        return rows_of(load_epochs(folder / "runs"))


def rows_of(epochs: pd.DataFrame) -> list[Row]:
    """What the searches come to: a goal is within 0.01 of the best epoch of one random search.

    Both kinds are asked for what another search has found: the default ones for the best of each random one, the random
    ones for the best of each other. The bar is on expected running times (Hansen et al. 2021, COCO): the epochs of all,
    those that never get there with their whole length, over the number of those that do.
    """
    by_trial = epochs.sort_values(["experiment", "trial_id", "epoch"]).groupby(["experiment", "trial_id"])[_METRIC]
    curves: dict[str, Search] = {}
    for (experiment, _), curve in by_trial:
        curves.setdefault(str(experiment), []).append(curve.to_numpy())
    random, default = ([curves[f"{kind}-{seed}"] for seed in _SEEDS] for kind in _TRIALS)
    goals = [max(curve.max() for curve in search) - _NEAR for search in random]
    ours = [_in_order(search, goal) for search in default for goal in goals]
    theirs = [
        _in_any_order(search, goal)
        for seed, search in enumerate(random)
        for other, goal in enumerate(goals)
        if other != seed
    ]
    share = _expected(ours) / _expected(theirs)
    what = f"the best of another {_TRIALS['random']} random trials"
    rows = [Row(f"epochs to {what}, ASHA + TPE / random search, full length", share, "ratio", "<= 0.25", share <= 0.25)]
    for kind, searches, runs in (("default", default, ours), ("random", random, theirs)):
        best = statistics.mean(max(curve.max() for curve in search) for search in searches)
        spent = statistics.mean(sum(map(len, search)) for search in searches)
        found = sum(reached for _, reached in runs) / len(runs)
        rows += [
            Row(f"- {kind} searches: expected epochs to it", _expected(runs), "epochs", "-", True),
            Row(
                f"- {kind} searches: share that have found it within {_TRIALS[kind]} trials", found, "ratio", "-", True
            ),
            Row(f"- {kind} searches: epochs of {_TRIALS[kind]} trials", spent, "epochs", "-", True),
            Row(f"- {kind} searches: mean best of {_TRIALS[kind]} trials", best, _METRIC, "-", True),
        ]
    return [*rows, *_replayed([curve for search in random for curve in search])]


def _replayed(trials: Search) -> list[Row]:
    """What ASHA alone would have stopped, and lost by it, had the trials come in another order."""
    space = load_space(_SPACES / "default.yaml", {"epochs": len(trials[0])})
    orders, spent, lost = np.random.default_rng(0).permuted([range(len(trials))] * _ORDERS, axis=1), 0, 0.0
    for order in orders:
        rungs, run = rungs_of(space, {}), []
        assert rungs is not None
        for number in order:
            for epoch, best in enumerate(np.maximum.accumulate(trials[number]), start=1):
                run.append(best)
                if rungs.falls_short(str(number), epoch, best):
                    break
        spent += len(run)
        lost += max(trial.max() for trial in trials) - max(run)
    share = spent / _ORDERS / sum(map(len, trials))
    return [
        Row("- ASHA alone over these random trials: share of their epochs", share, "ratio", "-", True),
        Row("- ASHA alone: what its best falls short of theirs", lost / _ORDERS, _METRIC, "-", True),
    ]


def _in_order(search: Search, goal: float) -> Run:
    history = np.concatenate(search)
    reached = np.flatnonzero(history >= goal)
    return (int(reached[0]) + 1, True) if len(reached) else (len(history), False)


def _in_any_order(search: Search, goal: float) -> Run:
    """The mean over all orders of independent trials: the first of k good ones among N has N - k others in k + 1 gaps
    around it, and one gap before it."""
    needed = [epochs for epochs, reached in (_in_order([curve], goal) for curve in search) if reached]
    if not needed:
        return sum(map(len, search)), False
    others = (len(search) - len(needed)) / (len(needed) + 1)
    return others * statistics.mean(map(len, search)) + statistics.mean(needed), True


def _expected(runs: list[Run]) -> float:
    return sum(epochs for epochs, _ in runs) / max(1, sum(reached for _, reached in runs))


def _write_space(folder: Path, kind: str) -> None:
    """The default space with the sample's network; for a random search without early stopping."""
    space = copy.deepcopy(_DEFAULT)
    space["parameters"] |= {name: _SAMPLE["parameters"][name] for name in ("backbone", "weights")}
    space["parameters"]["image_size"]["value"] = _SIZE
    if kind == "random":
        space["method"] = kind
        del space["early_terminate"]
    (folder / f"{kind}.yaml").write_text(yaml.safe_dump(space))


def _search(folder: Path, kind: str, seed: int) -> None:
    where = ["--space", folder / f"{kind}.yaml", "--storage", folder / "runs", "--name", f"{kind}-{seed}"]
    how = ["--trials", _TRIALS[kind], "--seed", seed, "--concurrent", 1, "--cpus-per-trial", 1, "--wandb", "disabled"]
    command = [sys.executable, "-m", "skin_tune", "tune", folder / f"{_REGION}-{_SIZE}.arrow", *where, *how]
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as own_cluster:
        environment = {**os.environ, "RAY_TMPDIR": own_cluster}
        subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL, env=environment)
