"""Metrics of grading: each formula once, for one confusion matrix or a million of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

METRICS = ("acc", "balanced_acc", "macro_f1", "mae", "within_one", "qwk")

ORDINAL_METRICS = ("mae", "within_one", "qwk")
"""The METRICS that need an order of classes; null for nominal classes, which have no distance."""

LESS_IS_BETTER = ("mae",)

ADJUSTED = "_adjusted"
"""End of the names of metrics that are of the adjusted decision, see `model.prior`; others are of the plain one."""

DECISION_METRICS = (
    "val_balanced_acc",
    "val_macro_f1",
    f"val_balanced_acc{ADJUSTED}",
    f"val_macro_f1{ADJUSTED}",
)
"""The metrics of decisions that a model may be chosen by; all count every class alike."""

_SOFT = "soft_"
SOFT_MACRO_F1 = f"{_SOFT}macro_f1{ADJUSTED}"
"""`soft_macro_f1` of the adjusted probabilities."""

WORST_GROUP = {
    name: f"worst_{name}_balanced_acc{ADJUSTED}" for name in ("device", "angle", "age", "gender", "skin_type")
}
"""Balanced accuracy of the adjusted decision in the worst group, by the column about photos that tells groups apart."""

SELECTION_ONLY = (SOFT_MACRO_F1, *WORST_GROUP.values())
"""What models are chosen by, but not told in: reports and cards give the figures of decisions, with intervals."""

SELECTION_METRICS = (*DECISION_METRICS, *(f"val_{name}" for name in SELECTION_ONLY))
"""The metrics a model may be chosen by."""

Numbers = npt.NDArray[Any]
Confusion = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tallies:
    """The sums that metrics are made of, over any leading axes; they add up as confusion matrices do.

    They are about half as many numbers as the matrix itself, and `true` does not depend on who predicts.
    """

    true: Numbers
    """Images of each class [..., K]."""
    predicted: Numbers
    """Images taken for each class [..., K]."""
    hits: Numbers
    """Images of each class that were recognised [..., K]."""
    distance_sums: Numbers
    """Sums over images [..., 3]: distance in steps of class order, its square, whether it is at most one."""


def metrics_for(ordinal: bool) -> tuple[str, ...]:
    """The METRICS of ordinal classes, or of nominal ones: those without ORDINAL_METRICS."""
    return tuple(name for name in METRICS if ordinal or name not in ORDINAL_METRICS)


def is_adjusted(metric: str) -> bool:
    """Whether a metric such as ``val_macro_f1_adjusted`` is of the adjusted decision."""
    return metric.endswith(ADJUSTED)


def formula_of(metric: str) -> str:
    """Which of METRICS a metric is, such as ``macro_f1`` for ``val_macro_f1`` and ``val_macro_f1_adjusted``."""
    return metric.removeprefix("val_").removesuffix(ADJUSTED)


def val_metric(formula: str, adjusted: bool) -> str:
    """The name of one of METRICS on the validation split: `formula_of` turned around."""
    return f"val_{formula}{ADJUSTED if adjusted else ''}"


def grouped_by(metric: str) -> str | None:
    """What tells the groups of a worst group's metric apart, such as ``gender``; None for all other metrics."""
    return next((name for name, worst in WORST_GROUP.items() if metric == f"val_{worst}"), None)


def decision_metric(metric: str) -> str:
    """One of DECISION_METRICS for one of SELECTION_METRICS: what trials are compared by, and told of.

    It is macro F1 for the soft one, balanced accuracy for that of a worst group, and itself for the others.
    """
    return val_metric("balanced_acc", adjusted=True) if grouped_by(metric) else metric.replace(_SOFT, "")


def soft_macro_f1(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.int64]) -> float:
    """Macro F1 of decisions drawn from `probabilities` [N, K], with expected counts in place of counts.

    A class that `labels` [N] has not does not count. Bénédict et al. 2022, "sigmoidF1", eq. 4 to 7, without its
    sigmoid. A photo that changes sides moves it by what its probabilities change, where macro F1 jumps: of few people
    it is the steadier measure of a model.
    """
    classes = probabilities.shape[1]
    own = np.eye(classes)[labels]
    true = own.sum(axis=0)
    hits = (own * probabilities).sum(axis=0)
    predicted = probabilities.sum(axis=0, dtype=np.float64)
    present = true > 0
    return float((2 * hits[present] / (true + predicted)[present]).mean())


def tallies_of(confusion: Numbers) -> Tallies:
    """Tallies of counts [..., K, K], true class by row, predicted by column; in the dtype of the counts."""
    grades = np.arange(confusion.shape[-1])
    distance = np.abs(grades[:, None] - grades[None, :])
    weights = np.stack([distance, distance**2, distance <= 1]).astype(confusion.dtype)
    return Tallies(
        true=confusion.sum(axis=-1),
        predicted=confusion.sum(axis=-2),
        hits=np.diagonal(confusion, axis1=-2, axis2=-1),
        distance_sums=np.einsum("...ij,wij->...w", confusion, weights),
    )


def scores_of(tallies: Tallies) -> dict[str, Numbers]:
    """Each of METRICS [...], as scikit-learn defines them; the leading axes of `tallies` broadcast.

    ORDINAL_METRICS take classes to be in order and count in steps between neighbouring classes, whatever their names:
    half a grade off, where classes are half grades, is one step. `mae` is the mean absolute difference in steps,
    `within_one` the share at most one step off, `qwk` Cohen's kappa with weights quadratic in steps. A class without
    samples does not count for `balanced_acc`; one neither present nor predicted does not count for `macro_f1`. What is
    0/0 is NaN.
    """
    true, predicted, hits, distance_sums = tallies.true, tallies.predicted, tallies.hits, tallies.distance_sums
    total = _sum(true)
    grades = np.arange(true.shape[-1], dtype=true.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = _sum((true @ (grades[:, None] - grades) ** 2) * predicted) / total
        return {
            "acc": _sum(hits) / total,
            "balanced_acc": _mean_of_ratios(hits, true),
            "macro_f1": _mean_of_ratios(2 * hits, true + predicted),
            "mae": distance_sums[..., 0] / total,
            "within_one": distance_sums[..., 2] / total,
            "qwk": 1 - distance_sums[..., 1] / by_chance,
        }


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


def _mean_of_ratios(parts: Numbers, counts: Numbers) -> Numbers:
    """Mean over the last axis of parts / counts, where there are counts; whole numbers, so that 0 becomes 0/1."""
    return _sum(parts / np.maximum(counts, 1)) / _sum(np.minimum(counts, 1))


def _sum(values: Numbers) -> Numbers:
    """Over the last axis; NumPy's own is ten times slower where that is as short as classes are few."""
    return values @ np.ones(values.shape[-1], values.dtype)
