"""Cost of trials, and what stopping them early saved."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import pandas as pd


@dataclass(frozen=True)
class Cost:
    """Cost of a set of trials. Hours are of trials, which may have run side by side."""

    trials: int
    epochs: int
    hours: float
    gpu_hours: float
    judged_epochs: int
    """Run by the trials that completed or were stopped early."""
    full_epochs: int
    """Epochs of the same trials, had none been stopped."""
    saved_hours: float
    """Hours of the epochs that were not run, each trial at its own pace."""
    saved_gpu_hours: float

    @property
    def saved_share(self) -> float:
        """Share of the epochs that were not run; NaN without any."""
        return 1 - self.judged_epochs / self.full_epochs if self.full_epochs else float("nan")


def total(costs: Iterable[Cost]) -> Cost:
    """Of all trials."""
    each = list(costs)
    return Cost(**{field.name: sum(getattr(cost, field.name) for cost in each) for field in fields(Cost)})


def cost_of(trials: pd.DataFrame) -> Cost:
    """Cost of rows of the store's `trials`; interrupted ones were not judged, so that they saved nothing."""
    filled = trials[["epochs", "seconds", "gpu_seconds", "config/epochs"]].astype(float)
    ended = trials["status"].isin(["completed", "stopped_early"]) & trials["ended_at"].notna()
    judged = filled[ended & (filled["epochs"] > 0) & filled["config/epochs"].notna()]
    left = (judged["config/epochs"] - judged["epochs"]).clip(lower=0) / judged["epochs"]
    return Cost(
        trials=len(trials),
        epochs=int(filled["epochs"].sum()),
        hours=filled["seconds"].sum() / 3600,
        gpu_hours=filled["gpu_seconds"].sum() / 3600,
        judged_epochs=int(judged["epochs"].sum()),
        full_epochs=int(judged[["config/epochs", "epochs"]].max(axis=1).sum()),
        saved_hours=float((left * judged["seconds"]).sum()) / 3600,
        saved_gpu_hours=float((left * judged["gpu_seconds"]).sum()) / 3600,
    )
