"""Paired differences between two opponents: the mean over split seeds, with an interval over subjects."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.opponents.results import Predictions
from skin_tune.metrics import Tallies, scores_of
from skin_tune.results.statistics.bootstrap import (
    RESAMPLES,
    Floats,
    bootstrap_sums,
    intervals,
    resample_counts,
    tally_subjects,
)


class Difference(NamedTuple):
    """A mean difference and its 95% interval; NaN where there is no interval."""

    mean: float
    low: float
    high: float


def paired_difference(
    first: Sequence[Predictions], second: Sequence[Predictions], classes: int, metric: str, resamples: int = RESAMPLES
) -> Difference:
    """`first` minus `second` in one of METRICS, both predicting the same images, an entry for each split seed.

    Subjects are resampled with all their images in all the test splits that they are in, so that those of overlapping
    splits do not count twice. The interval is for other subjects and these trained models.
    """
    for one, other in zip(first, second, strict=True):
        if not (np.array_equal(one.subjects, other.subjects) and np.array_equal(one.labels, other.labels)):
            raise ValueError("the opponents predict different images")
    subjects = np.unique(np.concatenate([one.subjects for one in first]))
    draws = resample_counts(len(subjects), resamples)
    ours, theirs = (_mean_scores(each, subjects, classes, metric, draws) for each in (first, second))
    point, resampled, jackknife = (one - other for one, other in zip(ours, theirs, strict=True))
    low, high = intervals(point[0], resampled, jackknife)
    return Difference(float(point[0, 0]), float(low[0]), float(high[0]))


def _mean_scores(
    by_seed: Sequence[Predictions], subjects: np.ndarray, classes: int, metric: str, draws: Floats
) -> list[Floats]:
    """Mean over split seeds of a metric: of all subjects [1, 1], in each resample [R, 1], of the jackknife [S, 1]."""
    tallies = [
        tally_subjects(np.searchsorted(subjects, one.subjects), one.labels, one.predicted, len(subjects), classes)
        for one in by_seed
    ]
    together = Tallies(
        *(np.stack([getattr(each, name) for each in tallies], axis=1) for name in Tallies.__dataclass_fields__)
    )
    return [scores_of(sums)[metric].mean(axis=1, keepdims=True) for sums in bootstrap_sums(together, draws)]
