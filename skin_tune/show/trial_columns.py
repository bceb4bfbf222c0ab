"""The columns of a table of trials: what they are called, and which are left out first where there is no room."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import ADJUSTED, ORDINAL_METRICS, SOFT_MACRO_F1, WORST_GROUP, formula_of, is_adjusted, val_metric
from skin_tune.results.store.schema import TRIALS
from skin_tune.show.tables import Column

RANK = "rank"
_METRICS = {
    "val_balanced_acc": "balanced acc",
    "val_macro_f1": "macro F1",
    "val_acc": "acc",
    "val_mae": "MAE (steps)",
    "val_within_one": "within 1",
    "val_qwk": "QWK",
}
METRIC_HEADINGS = _METRICS | {f"{name}{ADJUSTED}": f"adj. {heading}" for name, heading in _METRICS.items()}
METRIC_HEADINGS |= {f"val_{SOFT_MACRO_F1}": "soft F1"}
METRIC_HEADINGS |= {f"val_{metric}": f"worst {name.replace('_', ' ')}" for name, metric in WORST_GROUP.items()}
_HEADINGS = {"trial_id": "trial", "best_epoch": "best epoch", "gpu_seconds": "GPU-seconds", **METRIC_HEADINGS}
_WORDS = ("region", "experiment", "trial_id", "status")
_SHOWN = ("balanced_acc", "macro_f1", "acc", "mae")
_DROP = {"rank": 1, "status": 2, "epochs": 3, "val_balanced_acc": 4, "val_macro_f1": 5, "best_epoch": 6, "val_mae": 7}
_DROP |= {"val_acc": 8, "experiment": 9, "region": 10}
_DROP |= {f"{name}{ADJUSTED}": drop for name, drop in _DROP.items() if name in _METRICS}
SEARCHED = 11
"""The last hyper-parameter is left out first, then the others; their `drop` is from here on."""


def ranked_columns(
    rows: Sequence[Mapping[Any, Any]], searched: Sequence[str], *, places: bool, sort: str = "val_balanced_acc"
) -> list[Column]:
    """Columns of `rows` of the store's `trials`, which are in order of `sort`.

    The metrics are of the decision that `sort` is of. With `places` also region and experiment, which stay where they
    differ from row to row. A metric that needs an order of classes has no column where no row has it.
    """
    shown = [val_metric(name, is_adjusted(sort)) for name in _SHOWN]
    metrics = [name for name in dict.fromkeys((sort, *shown)) if name == sort or _is_told(rows, name)]
    names = [RANK, *(("region", "experiment") if places else ()), "trial_id", "status", "epochs", "best_epoch"]
    drop = {**_DROP, "trial_id": 0, sort: 0}
    drop |= {name: 0 for name in ("region", "experiment") if len({row.get(name) for row in rows}) > 1}
    drop |= {name: SEARCHED + place for place, name in enumerate(searched)}
    return [trial_column(name, rows, drop.get(name, 0)) for name in (*names, *metrics, *searched)]


def trial_column(name: str, rows: Sequence[Mapping[Any, Any]], drop: int = 0) -> Column:
    """The column of the store's `trials` called `name`, or that of ranks."""
    if name == RANK:
        return Column(RANK, [str(rank) for rank in range(1, len(rows) + 1)], drop)
    return Column(_heading(name), [cell(row.get(name)) for row in rows], drop, left=name in _WORDS)


def chosen_columns(asked: str, columns: Sequence[str]) -> list[str]:
    """The store's `columns`, or the rank, that `asked` names: as the store calls them, or as a table does.

    Raises StoreError, with those there are, for a name that is none of them.
    """
    known = {RANK: RANK}
    for name in columns:
        heading = _heading(name)
        known |= {alias.lower(): name for alias in (name, heading, heading.partition(" (")[0])}
    found = []
    for word in (part.strip() for part in asked.split(",")):
        if word.lower() not in known:
            near = difflib.get_close_matches(word.lower(), known, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            names = ", ".join((RANK, *map(_short, columns)))
            raise StoreError(f"--columns {asked!r}: there is no column {word!r}{hint} There are {names}")
        found.append(known[word.lower()])
    return list(dict.fromkeys(found))


def _heading(name: str) -> str:
    return _HEADINGS.get(name, _short(name))


def _short(name: str) -> str:
    """A hyper-parameter without `config/`, unless the store has another column of that name."""
    short = name.removeprefix("config/")
    return name if short in TRIALS.names else short


def cell(value: Any) -> str:
    """A value as a table shows it; a dash where there is none."""
    if pd.isna(value):
        return "-"
    if isinstance(value, float):
        if value.is_integer():
            return f"{value:.0f}"
        return f"{value:.3f}" if 0.01 <= abs(value) < 0.9995 else f"{value:.4g}"
    return str(value)


def _is_told(rows: Sequence[Mapping[Any, Any]], metric: str) -> bool:
    if formula_of(metric) not in ORDINAL_METRICS:
        return True
    return any(cell(row.get(metric)) != "-" for row in rows)
