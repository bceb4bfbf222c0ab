"""Meaning of a trial's status: may it win, and can it be resumed."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

UNUSABLE = ("diverged", "failed")
"""Statuses of trials that cannot win, whatever figures they left."""


def usable(row: Mapping[Any, Any], metric: str) -> bool:
    """Whether a row of `trials` may win: it has the metric, and has neither diverged nor failed."""
    return bool(pd.notna(row.get(metric))) and row["status"] not in UNUSABLE


def are_usable(trials: pd.DataFrame, metric: str | None = None) -> "pd.Series[bool]":
    """`usable` of each row of a frame; without `metric`, whether it has neither diverged nor failed."""
    alive = ~trials["status"].isin(UNUSABLE)
    return alive if metric is None else alive & trials[metric].notna()


def unfinished(row: Mapping[str, Any]) -> bool:
    """Whether a row's trial can be resumed: a budget, the target, a signal or a crash interrupted it, or it runs.

    Older versions gave an interrupted trial the status `stopped_early`, without an end.
    """
    if row["status"] == "stopped_early":
        return row.get("ended_at") is None
    return row["status"] in ("running", "interrupted")
