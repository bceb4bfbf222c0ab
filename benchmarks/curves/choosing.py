"""What to choose epochs and trials by: what each metric picks on half of the people, judged on the others.

The training images stay those of the pack; its validation and test people are dealt anew into two halves, many times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.curves.grid import EPOCHS, configs
from benchmarks.curves.measure import SPLITS
from benchmarks.curves.scores import Floats, scores_by_epoch
from skin_tune.data.pack.format import Pack
from skin_tune.tuning.search.asha import AshaRungs

METRICS = ("balanced_acc", "macro_f1", "soft_macro_f1")
_WARMUP = configs()[0].warmup_epochs
_TRIALS, _COMBINED = 12, 3
_DEALS, _EXPERIMENTS = 30, 10


@dataclass(frozen=True)
class People:
    """Predictions of all epochs of all configs for the people that no config was trained on."""

    probabilities: Sequence[npt.NDArray[np.float32]]
    """Adjusted, [epochs, N, K] of each config."""
    labels: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.str_]

    def scores(self, some: npt.NDArray[np.bool_]) -> list[dict[str, Floats]]:
        """METRICS [epochs] of each config, on `some` [N] of the images."""
        return [scores_by_epoch(each[:, some], self.labels[some]) for each in self.probabilities]


def load(pack: Pack, folder: Path) -> People:
    """The predictions that `measure` wrote; only whole curves."""
    rows = np.concatenate([pack.indices(split) for split in SPLITS])
    found = []
    for path in sorted(folder.glob("*.npz"), key=lambda path: int(path.stem)):
        with np.load(path) as kept:
            if len(kept["val"]) == EPOCHS:
                found.append(np.concatenate([kept[split] for split in SPLITS], axis=1))
    return People(found, pack.labels[rows], pack.subjects[rows])


def compare_metrics(people: People, deals: int = _DEALS) -> pd.DataFrame:
    """A row per metric and way to search: means of ``single_balanced_acc single_macro_f1 combined_...`` elsewhere.

    The people are dealt `deals` times. An experiment is 12 of the configs in random order, each to its end or with
    ASHA's rungs.
    """
    rng = np.random.default_rng(0)
    rows = [
        {"metric": metric, "asha": asha, **_judged(people, judges, _ranked(chosen, trials, metric, asha=asha))}
        for choosers in _deals(people, deals, rng)
        for judges in [~choosers]
        for chosen in [people.scores(choosers)]
        for trials in [rng.permutation(len(chosen))[:_TRIALS] for _ in range(_EXPERIMENTS)]
        for metric in METRICS
        for asha in (False, True)
    ]
    return pd.DataFrame(rows).groupby(["asha", "metric"]).mean()


def _deals(people: People, deals: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.bool_]]:
    """Half of the people of each class [N], drawn anew each time."""
    names, first = np.unique(people.subjects, return_index=True)
    of_names = people.labels[first]
    for _ in range(deals):
        drawn = []
        for label in np.unique(of_names):
            own = rng.permutation(names[of_names == label])
            drawn.append(own[: len(own) // 2 + int(rng.integers(2)) * (len(own) % 2)])
        yield np.isin(people.subjects, np.concatenate(drawn))


def _ranked(
    scores: Sequence[dict[str, Floats]], trials: npt.NDArray[np.int64], metric: str, *, asha: bool
) -> list[tuple[int, int]]:
    """Trials with their best epoch, best first."""
    rungs = AshaRungs(metric, min_iter=1, eta=3, longest=EPOCHS, history={}, after=_WARMUP)
    found = []
    for trial in map(int, trials):
        curve, ended = scores[trial][metric], EPOCHS
        if asha:
            best = np.maximum.accumulate(curve)
            short = (epoch for epoch in range(1, EPOCHS + 1) if rungs.falls_short(str(trial), epoch, best[epoch - 1]))
            ended = next(short, EPOCHS)
        epoch = _WARMUP + int(curve[_WARMUP:ended].argmax())
        found.append((curve[epoch], trial, epoch))
    return [(trial, epoch) for _, trial, epoch in sorted(found, key=lambda each: -each[0])]


def _judged(people: People, judges: npt.NDArray[np.bool_], ranked: Sequence[tuple[int, int]]) -> dict[str, float]:
    best = [people.probabilities[trial][epoch][judges] for trial, epoch in ranked[:_COMBINED]]
    models = {"single": best[0], "combined": np.mean(best, axis=0)}
    return {
        f"{name}_{metric}": float(scores_by_epoch(model[None], people.labels[judges])[metric][0])
        for name, model in models.items()
        for metric in METRICS[:2]
    }
