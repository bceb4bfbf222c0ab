"""Budgets that the trials of an experiment use up, in all of its runs: GPU-hours, images."""

from collections.abc import Sequence
from dataclasses import dataclass

from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.request import TuneRequest


@dataclass(frozen=True)
class Budget:
    """An amount after which trials are stopped."""

    flag: str
    """Option that sets it."""
    amount: float
    column: str
    """Column of the store's `trials` that counts it; rows of versions that did not count it have none."""
    unit: float = 1
    """What of the column is one of `amount`."""

    def spent(self, writers: Sequence[ExperimentWriter]) -> float:
        """What experiments have spent, earlier runs of theirs included."""
        return sum(row.get(self.column) or 0 for writer in writers for row in writer.trials()) / self.unit

    def is_spent(self, writers: Sequence[ExperimentWriter]) -> bool:
        """Whether nothing of it is left."""
        return self.spent(writers) >= self.amount


def budgets_of(request: TuneRequest) -> list[Budget]:
    """The budgets of a request."""
    budgets = []
    if request.gpu_hours is not None:
        budgets.append(Budget("--gpu-hours", request.gpu_hours, "gpu_seconds", 3600))
    if request.image_budget is not None:
        budgets.append(Budget("--image-budget", request.image_budget, "images"))
    return budgets
