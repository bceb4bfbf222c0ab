"""Every metric from one confusion matrix: int64 [K, K], true class by row, predicted by column."""

from typing import Any

import numpy as np
import numpy.typing as npt

from skin_tune.metrics import metrics_for, scores_of, tallies_of

Confusion = npt.NDArray[np.int64]

SELECTION_METRICS = ("val_balanced_acc", "val_macro_f1")
"""The metrics a model may be chosen by; both count every grade alike."""


def confusion_matrix(labels: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> Confusion:
    """Counts [K, K] of labels [N] against predicted classes [N]."""
    pairs = np.asarray(labels, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def metrics_of(confusion: Confusion, class_names: list[str], ordinal: bool) -> dict[str, float]:
    """``acc balanced_acc macro_f1 mae within_one qwk recall_<class>``, as scikit-learn defines them.

    See `scores_of` for what they are; nominal classes have no ``mae``, ``within_one`` and ``qwk``. A class without
    samples has a NaN recall.
    """
    tallies = tallies_of(confusion.astype(np.float64))
    scores = scores_of(tallies)
    metrics = {name: float(scores[name]) for name in metrics_for(ordinal)}
    with np.errstate(invalid="ignore"):
        recall = tallies.hits / tallies.true
    return metrics | {f"recall_{name}": float(value) for name, value in zip(class_names, recall, strict=True)}


def class_table(confusion: Confusion, class_names: list[str]) -> list[dict[str, Any]]:
    """A row for each class: ``class images precision recall f1``. What is 0/0 is NaN."""
    counts = confusion.astype(np.float64)
    true, predicted, hits = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = zip(class_names, true, hits / predicted, hits / true, 2 * hits / (true + predicted), strict=True)
    return [
        {"class": name, "images": int(images), "precision": float(p), "recall": float(r), "f1": float(f)}
        for name, images, p, r, f in columns
    ]
