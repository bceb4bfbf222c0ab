"""Columns of the tables `trials` and `epochs` that the pages show."""

import math
from typing import Any

import pyarrow as pa

from skin_tune.metrics import SELECTION_METRICS

_FIGURES = ("status", "epochs", "best_epoch", "seconds", "gpu_seconds", "images", "error", "ended_at", "metric")
COLUMNS = ("trial_id", *_FIGURES, "config/epochs", *SELECTION_METRICS)
"""Of `trials`."""
_PLACES = 4

Row = dict[str, Any]


def rows_of(table: pa.Table) -> list[Row]:
    """Rows with all columns, a gap as None."""
    columns = {name: [_finite(value) for value in table.column(name).to_pylist()] for name in table.column_names}
    gap = [None] * len(table)
    return [
        dict(zip(COLUMNS, values, strict=True))
        for values in zip(*(columns.get(name, gap) for name in COLUMNS), strict=True)
    ]


def points_of(tables: list[pa.Table], metric: str) -> dict[str, list[list[Any]]]:
    """By trial its [epoch, value], in the order of the epochs."""
    found: dict[str, list[list[Any]]] = {}
    for table in tables:
        names, epochs, values = (table.column(name).to_pylist() for name in ("trial_id", "epoch", metric))
        for name, epoch, value in zip(names, epochs, values, strict=True):
            value = _finite(value)
            found.setdefault(name, []).append([epoch, value if value is None else round(value, _PLACES)])
    for points in found.values():
        points.sort(key=lambda point: point[0])
    return found


def _finite(value: Any) -> Any:
    """`value`, or None for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
