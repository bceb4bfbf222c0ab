"""One model on one split: confusion, figures by class, calibration, results by group of people and photos.

K is the number of classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from skin_tune.metrics import ADJUSTED, confusion_matrix, metrics_for
from skin_tune.results.statistics.attributes import group_names, known_attributes
from skin_tune.results.statistics.bootstrap import resample_counts, tally_subjects
from skin_tune.results.statistics.model_figures import Figure, class_figures, score_figures
from skin_tune.results.statistics.subgroups import Grouping, grouping_of

RESAMPLES = 2000
BINS = 15
"""The reliability diagram of Guo et al. 2017."""


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
    precision: Sequence[Figure]
    f1: Sequence[Figure]
    scores: dict[str, Figure]
    """Those of METRICS that its classes can have."""
    calibration: Calibration
    """Of the plain probabilities: the adjusted ones are of another population."""
    groups: dict[str, Grouping]
    """By attribute; without an entry where the store does not know it of any image."""


def model_performance(rows: pd.DataFrame, adjusted: bool = False, ordinal: bool = True) -> ModelPerformance:
    """From the store's `predictions` of one model and split, by its adjusted decision where that is asked for."""
    probabilities = np.stack(rows["probabilities"].to_list()).astype(np.float64)
    classes, metrics = probabilities.shape[1], metrics_for(ordinal)
    correct = rows["label"].to_numpy() == rows["predicted"].to_numpy()
    if adjusted:
        rows = rows.assign(predicted=rows[f"predicted{ADJUSTED}"])
    subject, subjects = pd.factorize(rows["subject"], use_na_sentinel=False)
    label, predicted = (rows[name].to_numpy(np.int64) for name in ("label", "predicted"))
    tallies = tally_subjects(subject, label, predicted, len(subjects), classes)
    draws_of = lru_cache(partial(resample_counts, resamples=RESAMPLES))
    draws = draws_of(len(subjects))
    by_class = class_figures(tallies, draws)
    return ModelPerformance(
        confusion=confusion_matrix(label, predicted, classes),
        subjects=len(subjects),
        recall=by_class["recall"],
        precision=by_class["precision"],
        f1=by_class["f1"],
        scores=score_figures(tallies, metrics, draws),
        calibration=calibration(probabilities.max(axis=1), correct, BINS),
        groups={
            name: grouping_of(name, rows.assign(group=group_names(rows[name], name)), classes, metrics, draws_of)
            for name in known_attributes(rows)
        },
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
