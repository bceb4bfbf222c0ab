"""The end of a run that has used up a budget."""

from collections.abc import Sequence
from typing import Any

from ray.tune import Stopper

from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.experiment.budget import Budget


class BudgetStopper(Stopper):
    """Ends a run once its experiments, earlier runs of theirs included, have spent one of the budgets."""

    def __init__(self, budgets: Sequence[Budget], writers: Sequence[ExperimentWriter]):
        self._budgets, self._writers = budgets, writers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return any(budget.is_spent(self._writers) for budget in self._budgets)
