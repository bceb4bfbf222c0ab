"""The target: once a trial reaches this value of the metric, the experiment ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skin_tune.results.store.status import usable

_ROUNDING = 1e-9
"""Tolerance for rounding: the mean of 2/3, 11/15 and 1 falls short of 0.8 by 1e-16."""


@dataclass(frozen=True)
class Reached:
    """Which trial reached the target, and when."""

    metric: str
    target: float
    trial_id: str
    epoch: int

    @property
    def how_to_resume(self) -> str:
        """What an experiment that it ended takes to go on."""
        return "--resume with a higher metric.target, or none,"

    def __str__(self) -> str:
        return f"target {self.metric} {self.target:g} reached by {self.trial_id} in epoch {self.epoch}"


def is_reached(value: Any, target: float | None) -> bool:
    """Whether a metric of one epoch, which may be missing or NaN, is at the target, if there is one."""
    return target is not None and value is not None and bool(value >= target - _ROUNDING)


def first_to_reach(
    trials: Sequence[Mapping[str, Any]], epochs: Sequence[Mapping[str, Any]], metric: str, target: float | None
) -> Reached | None:
    """The usable trial that reached the target in the fewest epochs, from rows of the store's `trials` and `epochs`."""
    able = {row["trial_id"] for row in trials if usable(row, metric)}
    reached = [
        (row["epoch"], row["trial_id"])
        for row in epochs
        if row["trial_id"] in able and is_reached(row.get(metric), target)
    ]
    if target is None or not reached:
        return None
    epoch, trial_id = min(reached)
    return Reached(metric, target, trial_id, int(epoch))
