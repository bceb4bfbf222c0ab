"""Figures of one model with their intervals over subjects.

K is the number of classes, S of subjects, R of resamples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from skin_tune.metrics import Numbers, Tallies, scores_of
from skin_tune.results.statistics.bootstrap import Floats, bootstrap_sums, intervals


class Figure(NamedTuple):
    """A value with its 95% interval over subjects; NaN is what cannot be said."""

    value: float
    low: float
    high: float


def score_figures(tallies: Tallies, names: Sequence[str], draws: Floats) -> dict[str, Figure]:
    """Those of METRICS that are in `names`, from tallies [S, ...] of one model and `draws` [R, S] of its subjects."""
    exact, drawn, fewer = (scores_of(sums) for sums in bootstrap_sums(tallies, draws))
    return {name: figures(exact[name], drawn[name][:, None], fewer[name][:, None])[0] for name in names}


def class_figures(tallies: Tallies, draws: Floats) -> dict[str, list[Figure]]:
    """``precision recall f1`` of each class [K], as `class_table` has them, from tallies [S, ...] of one model."""
    sums = bootstrap_sums(tallies, draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = {
            "precision": [each.hits / each.predicted for each in sums],
            "recall": [each.hits / each.true for each in sums],
            "f1": [2 * each.hits / (each.true + each.predicted) for each in sums],
        }
    return {name: figures(exact[0], drawn, fewer) for name, (exact, drawn, fewer) in ratios.items()}


def mean_figure(values: npt.ArrayLike, subject: Numbers, draws: Floats) -> Figure:
    """Mean of `values` [N] of images, from the `subject` [N] in [0, S) that each shows and `draws` [R, S]."""
    count = np.bincount(subject).astype(np.float64)
    total = np.bincount(subject, np.asarray(values, np.float64))
    exact, drawn = total.sum() / count.sum(), (draws @ total) / (draws @ count)
    with np.errstate(invalid="ignore", divide="ignore"):
        fewer = (total.sum() - total) / (count.sum() - count)
    return figures(np.array([exact]), drawn[:, None], fewer[:, None])[0]


def figures(point: Floats, resampled: Floats, jackknife: Floats) -> list[Figure]:
    """A Figure for each of `point` [T], from resamples [R, T] and the jackknife [S, T]."""
    low, high = intervals(point, resampled, jackknife)
    return [Figure(*map(float, each)) for each in zip(point, low, high, strict=True)]
