"""One model on one split: confusion, recall by class, calibration, results by device and angle.

K is the number of classes, S of subjects, R of resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_tune.metrics import ADJUSTED, Tallies, confusion_matrix, scores_of
from skin_tune.results.statistics.bootstrap import (
    Floats,
    bootstrap_sums,
    intervals,
    resample_counts,
    tally_subjects,
)

RESAMPLES = 2000
BINS = 15
"""The reliability diagram of Guo et al. 2017."""


class Figure(NamedTuple):
    """A value with its 95% interval over subjects; NaN is what cannot be said."""

    value: float
    low: float
    high: float


class Group(NamedTuple):
    """The images of one device or angle."""

    name: str
    """Empty for images of which it is not known."""
    images: int
    subjects: int
    classes: int
    """Classes that its images have."""
    scores: dict[str, Figure]


@dataclass(frozen=True)
class Calibration:
    """Bins of equal width in the probability of the predicted class; those without images are left out."""

    confidence: npt.NDArray[np.float64]
    """Mean probability of the predicted class, bin by bin."""
    accuracy: npt.NDArray[np.float64]
    images: npt.NDArray[np.int64]
    error: float
    """Expected calibration error: mean distance of the two above, weighted by images (Guo et al. 2017, eq. 3)."""


@dataclass(frozen=True)
class ModelPerformance:
    """A model's answers on one split, by the plain decision or by the adjusted one."""

    confusion: npt.NDArray[np.int64]
    """[K, K], true class by row."""
    subjects: int
    recall: Sequence[Figure]
    """[K]; NaN for a class without images."""
    scores: dict[str, Figure]
    """``balanced_acc``, ``macro_f1``"""
    calibration: Calibration
    """Of the plain probabilities: the adjusted ones are of another population."""
    groups: dict[str, list[Group]]
    """By ``device`` and ``angle``; without an entry where the store does not know it of any image."""


def model_performance(rows: pd.DataFrame, adjusted: bool = False) -> ModelPerformance:
    """From the store's `predictions` of one model and split, by its adjusted decision where that is asked for."""
    probabilities = np.stack(rows["probabilities"].to_list()).astype(np.float64)
    classes = probabilities.shape[1]
    correct = rows["label"].to_numpy() == rows["predicted"].to_numpy()
    if adjusted:
        rows = rows.assign(predicted=rows[f"predicted{ADJUSTED}"])
    tallies, confusion = _tallied(rows, classes)
    return ModelPerformance(
        confusion=confusion,
        subjects=len(tallies.true),
        recall=_recall(tallies),
        scores=_scores(tallies),
        calibration=calibration(probabilities.max(axis=1), correct, BINS),
        groups={name: _groups(rows, name, classes) for name in ("device", "angle") if _is_known(rows, name)},
    )


def calibration(confidence: npt.NDArray[np.float64], correct: npt.NDArray[np.bool_], bins: int) -> Calibration:
    """Reliability of confidences in [0, 1] [N] of answers that were correct or not [N]; a bin holds its upper edge."""
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    images = np.bincount(bin_of, minlength=bins)
    kept = images > 0
    mean = np.bincount(bin_of, confidence, bins)[kept] / images[kept]
    accuracy = np.bincount(bin_of, correct, bins)[kept] / images[kept]
    error = float((images[kept] * np.abs(accuracy - mean)).sum() / len(confidence))
    return Calibration(mean, accuracy, images[kept], error)


def _tallied(rows: pd.DataFrame, classes: int) -> tuple[Tallies, npt.NDArray[np.int64]]:
    """Tallies [S, ...] and the confusion matrix."""
    subject, subjects = pd.factorize(rows["subject"], use_na_sentinel=False)
    label, predicted = (rows[name].to_numpy(np.int64) for name in ("label", "predicted"))
    return tally_subjects(subject, label, predicted, len(subjects), classes), confusion_matrix(
        label, predicted, classes
    )


def _scores(tallies: Tallies) -> dict[str, Figure]:
    draws = resample_counts(len(tallies.true), RESAMPLES)
    exact, drawn, jackknife = (scores_of(sums) for sums in bootstrap_sums(tallies, draws))
    return {
        name: _figures(exact[name], drawn[name][:, None], jackknife[name][:, None])[0]
        for name in ("balanced_acc", "macro_f1")
    }


def _recall(tallies: Tallies) -> list[Figure]:
    draws = resample_counts(len(tallies.true), RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        exact, drawn, jackknife = (sums.hits / sums.true for sums in bootstrap_sums(tallies, draws))
    return _figures(exact[0], drawn, jackknife)


def _figures(point: Floats, resampled: Floats, jackknife: Floats) -> list[Figure]:
    low, high = intervals(point, resampled, jackknife)
    return [Figure(*map(float, each)) for each in zip(point, low, high, strict=True)]


def _is_known(rows: pd.DataFrame, column: str) -> bool:
    return column in rows and bool(rows[column].notna().any())


def _groups(rows: pd.DataFrame, column: str, classes: int) -> list[Group]:
    found = []
    for name, of in rows.groupby(rows[column].fillna(""), sort=True):
        tallies, _ = _tallied(of, classes)
        seen = int((tallies.true.sum(axis=0) > 0).sum())
        found.append(Group(str(name), len(of), len(tallies.true), seen, _scores(tallies)))
    return found
