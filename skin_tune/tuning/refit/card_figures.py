"""What a model card says beside the scores: their intervals, calibration, results by group, and whom the pack shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.data.pack.format import Pack
from skin_tune.data.pack.subject_split import SPLITS
from skin_tune.metrics import ADJUSTED
from skin_tune.results.report.model_performance import RESAMPLES, ModelPerformance, model_performance
from skin_tune.results.statistics.attributes import group_names, known_attributes
from skin_tune.results.statistics.bootstrap import resample_counts
from skin_tune.results.statistics.model_figures import Figure, mean_figure
from skin_tune.results.statistics.subgroup_rows import gap_rows, group_row, with_bounds
from skin_tune.text.numbers import none_if_nan
from skin_tune.training.evaluation import Evaluation

Row = dict[str, Any]


def performance_by_decision(evaluation: Evaluation, ordinal: bool) -> dict[bool, ModelPerformance]:
    """A model's answers by the plain decision (False) and, where it is known, by the adjusted one (True)."""
    columns = evaluation.columns()
    rows = pd.DataFrame(
        {
            "subject": columns["subjects"],
            "label": evaluation.labels,
            "predicted": evaluation.probabilities.argmax(axis=1),
            f"predicted{ADJUSTED}": columns["predicted_adjusted"],
            "probabilities": list(evaluation.probabilities),
            **evaluation.about,
        }
    )
    decisions = [False] if columns["predicted_adjusted"] is None else [False, True]
    return {each: model_performance(rows, each, ordinal) for each in decisions}


def interval_facts(
    by_decision: Mapping[bool, ModelPerformance], recall: Mapping[str, Figure], loss: Figure
) -> dict[str, list[Any]]:
    """Bounds of each of a card's test metrics, by its name; null where there are none. `recall` is by class."""
    found = {"test_loss": loss}
    for adjusted, performance in by_decision.items():
        end = ADJUSTED if adjusted else ""
        found |= {f"test_{name}{end}": figure for name, figure in performance.scores.items()}
    found |= {f"test_recall_{name}": figure for name, figure in recall.items()}
    return {name: [none_if_nan(figure.low), none_if_nan(figure.high)] for name, figure in found.items()}


def class_bounds(performance: ModelPerformance) -> list[Row]:
    """``precision_low precision_high recall_low ...`` of each class."""
    figures = {name: getattr(performance, name) for name in ("precision", "recall", "f1")}
    return [
        {
            f"{name}_{end}": none_if_nan(getattr(each[place], end))
            for name, each in figures.items()
            for end in ("low", "high")
        }
        for place in range(len(performance.confusion))
    ]


def loss_figure(evaluation: Evaluation) -> Figure:
    """The test loss with its interval."""
    chances = evaluation.probabilities[np.arange(len(evaluation.labels)), evaluation.labels].astype(np.float64)
    losses = -np.log(np.maximum(chances, np.finfo(np.float32).tiny))
    return _mean(losses, evaluation)._replace(value=evaluation.loss)


def calibration_facts(evaluation: Evaluation, performance: ModelPerformance) -> Row:
    """``error``, the expected calibration error, and ``overconfidence``: mean probability of the predicted class minus
    accuracy, with its bounds. Of the plain probabilities. The error has none: resampling makes it larger.
    """
    surplus = evaluation.probabilities.max(axis=1) - (evaluation.probabilities.argmax(axis=1) == evaluation.labels)
    overconfidence = with_bounds("overconfidence", _mean(surplus, evaluation))
    return _plain({"error": performance.calibration.error, **overconfidence})


def _mean(values: Any, evaluation: Evaluation) -> Figure:
    subjects, subject = np.unique(evaluation.subjects, return_inverse=True)
    return mean_figure(values, subject, resample_counts(len(subjects), RESAMPLES))


def group_facts(performance: ModelPerformance, classes: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Rows of results by group and of the gaps between groups, each with its ``attribute``."""
    groups: list[Row] = []
    gaps: list[Row] = []
    for attribute, grouping in performance.groups.items():
        groups += [{"attribute": attribute, **_plain(group_row(each, classes, str))} for each in grouping.groups]
        gaps += [{"attribute": attribute, **_plain(row)} for row in gap_rows(grouping, str)]
    return groups, gaps


def split_facts(pack: Pack) -> list[Row]:
    """``split subjects images`` of a pack."""
    rows = []
    for split in SPLITS:
        own = pack.split == split
        rows.append({"split": split, "subjects": len(np.unique(pack.subjects[own])), "images": int(own.sum())})
    return rows


def people_facts(pack: Pack) -> list[Row]:
    """Subjects of each group of a pack and of each split: ``attribute group train val test``."""
    table = pd.DataFrame({"subject": pack.subjects, "split": pack.split, **pack.about})
    rows: list[Row] = []
    for attribute in known_attributes(table):
        subjects = table.groupby([group_names(table[attribute], attribute), "split"])["subject"].nunique()
        counts = subjects.unstack(fill_value=0).reindex(columns=SPLITS, fill_value=0)
        rows += [
            {"attribute": attribute, "group": str(name), **{split: int(row[split]) for split in SPLITS}}
            for name, row in counts.iterrows()
        ]
    return rows


def _plain(row: Row) -> Row:
    return {name: none_if_nan(value) for name, value in row.items()}
