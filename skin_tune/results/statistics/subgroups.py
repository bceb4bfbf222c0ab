"""For whom a model grades well: its metrics by group of people or photos, the worst group, and the gap to the best.

K is the number of classes, S of subjects, G of groups, R of resamples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from skin_tune.metrics import LESS_IS_BETTER, Numbers, Tallies, scores_of
from skin_tune.results.statistics.bootstrap import Floats, bootstrap_sums, tally_subjects
from skin_tune.results.statistics.model_figures import Figure, score_figures
from skin_tune.results.statistics.multiple_comparisons import range_of
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS, UNKNOWN

GROUP_RESAMPLES = 2000
"""Resamples: a fifth of those of `compare`, as there are several groups of each trial."""

DrawsOf = Callable[[int], Floats]
"""From a number of subjects to `resample_counts` of them."""


class Group(NamedTuple):
    """The images of one group."""

    name: str
    """UNKNOWN for images of which the source does not say."""
    images: int
    subjects: int
    missing: tuple[int, ...]
    """Classes that other groups show and this one does not: its balanced accuracy is over other classes than theirs."""
    scores: dict[str, Figure]
    """Of METRICS."""

    @property
    def too_small(self) -> bool:
        """Whether it has fewer than FEWEST_SUBJECTS, or a class is missing: it is neither worst nor best then."""
        return self.subjects < FEWEST_SUBJECTS or bool(self.missing)

    @property
    def is_compared(self) -> bool:
        return not self.too_small and self.name != UNKNOWN


class Gap(NamedTuple):
    """From the worst group to the best."""

    worst: str
    best: str
    size: Figure
    """Of the difference, at least 0 whatever the metric; its interval holds for any two groups, see `range_of`."""
    p: float
    """How often chance alone sets any two groups so far apart, see `range_of`."""


@dataclass(frozen=True)
class Grouping:
    """One model's results by one attribute."""

    attribute: str
    groups: Sequence[Group]
    """In the order of their names, UNKNOWN last."""
    gaps: dict[str, Gap]
    """By metric; without those for which fewer than two groups can be compared."""


def grouping_of(
    attribute: str, rows: pd.DataFrame, classes: int, metrics: Sequence[str], draws_of: DrawsOf
) -> Grouping:
    """The `metrics` for each group of `rows`, one per image: ``subject group label predicted``.

    The intervals of a group are those of its own people. Groups are compared on resamples of all their people, so that
    somebody who is in several, as with devices, is drawn for all of them.
    """
    subject, subjects = pd.factorize(rows["subject"], use_na_sentinel=False)
    names = sorted(rows["group"].unique(), key=lambda name: (name == UNKNOWN, name))
    group = rows["group"].map({name: place for place, name in enumerate(names)}).to_numpy(np.int64)
    label, predicted = (rows[name].to_numpy(np.int64) for name in ("label", "predicted"))
    flat = tally_subjects(subject * len(names) + group, label, predicted, len(subjects) * len(names), classes)
    shape = (len(subjects), len(names), -1)
    tallies = Tallies(*(each.reshape(shape) for each in _parts(flat)))
    seen = np.asarray(tallies.true.any(axis=(0, 1)))
    groups = [_group(name, _only(tallies, [place]), seen, metrics, draws_of) for place, name in enumerate(names)]
    compared = [place for place, each in enumerate(groups) if each.is_compared]
    gaps = {}
    if len(compared) > 1:
        gaps = _gaps([names[place] for place in compared], _only(tallies, compared), metrics, draws_of)
    return Grouping(attribute, groups, gaps)


def _parts(tallies: Tallies) -> tuple[Floats, Floats, Floats, Floats]:
    return tallies.true, tallies.predicted, tallies.hits, tallies.distance_sums


def _only(tallies: Tallies, places: list[int]) -> Tallies:
    """Tallies [S, G, ...] of some groups and of the subjects that these show."""
    shown = tallies.true[:, places].any(axis=(1, 2))
    return Tallies(*(each[shown][:, places] for each in _parts(tallies)))


def _group(name: str, tallies: Tallies, seen: Numbers, metrics: Sequence[str], draws_of: DrawsOf) -> Group:
    own = Tallies(*(each[:, 0] for each in _parts(tallies)))
    images = own.true.sum(axis=0)
    missing = tuple(np.flatnonzero(seen & (images == 0)).tolist())
    scores = score_figures(own, metrics, draws_of(len(own.true)))
    return Group(name, int(images.sum()), len(own.true), missing, scores)


def _gaps(names: Sequence[str], tallies: Tallies, metrics: Sequence[str], draws_of: DrawsOf) -> dict[str, Gap]:
    """By metric, from tallies [S, G, ...] of the groups `names`."""
    exact, drawn, fewer = (scores_of(sums) for sums in bootstrap_sums(tallies, draws_of(len(tallies.true))))
    found = {}
    for metric in metrics:
        sign = -1 if metric in LESS_IS_BETTER else 1
        point, resampled, jackknife = sign * exact[metric][0], sign * drawn[metric], sign * fewer[metric]
        if np.isnan(point).any():
            continue
        order = point.argsort(kind="stable")
        worst, best = int(order[0]), int(order[-1])
        apart = range_of(point, resampled, jackknife, worst, best)
        found[metric] = Gap(names[worst], names[best], Figure(apart.size, apart.low, apart.high), apart.p)
    return found
