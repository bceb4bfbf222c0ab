"""The classes of stored trials: their names, and whether these have an order."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import ORDINAL_METRICS, formula_of
from skin_tune.text.grades import grade_values

_RECALL = "val_recall_"


def class_columns(classes: Sequence[str], ordinal: bool) -> dict[str, Any]:
    """The columns of `trials` on the classes: ``ordinal``, and ``classes``, a JSON list in the order of labels."""
    return {"ordinal": ordinal, "classes": json.dumps(list(classes), ensure_ascii=False)}


def are_ordinal(trials: pd.DataFrame) -> bool:
    """Whether the classes of rows of `trials`, all of one pack, have an order.

    Stores of older versions do not say; theirs have one.
    """
    return not _nominal(trials).any()


def check_has_metric(trials: pd.DataFrame, metric: str) -> None:
    """Raise StoreError where `metric` needs an order of classes, and no row of `trials` has one."""
    if formula_of(metric) in ORDINAL_METRICS and len(trials) and _nominal(trials).all():
        regions = ", ".join(sorted(set(trials["region"])))
        raise StoreError(
            f"--sort {metric!r} needs classes with an order, and those of {regions} are nominal; "
            "sort by val_balanced_acc or val_macro_f1"
        )


def class_names(trials: pd.DataFrame, images: Sequence[int]) -> list[str]:
    """Names [K] of the classes of rows of `trials`, all of one pack; `images` [K] of each are in the validation split.

    Stores of older versions do not say; there a class with images is named by its recall, and others by their place.
    """
    told = trials["classes"].dropna() if "classes" in trials else pd.Series(dtype=object)
    names = list(json.loads(told.iloc[0])) if len(told) else []
    if len(names) == len(images):
        return names
    seen = [place for place, count in enumerate(images) if count]
    by_recall = _names_by_recall(trials)
    named = dict(zip(seen, by_recall, strict=True)) if len(by_recall) == len(seen) else {}
    return [named.get(place, str(place)) for place in range(len(images))]


def _names_by_recall(trials: pd.DataFrame) -> list[str]:
    """Recall columns of the classes that have one, in class order."""
    columns = [str(name) for name in trials if str(name).startswith(_RECALL) and trials[name].notna().any()]
    names = [column.removeprefix(_RECALL) for column in columns]
    values = grade_values(names)
    return names if values is None else [name for _, name in sorted(zip(values, names, strict=True))]


def _nominal(trials: pd.DataFrame) -> pd.Series:
    return trials["ordinal"].eq(False) if "ordinal" in trials else pd.Series(False, index=trials.index)
