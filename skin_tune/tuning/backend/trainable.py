"""A trial as Tune sees it: a Trainable whose actor is reused from trial to trial."""

from typing import Any

from ray import tune

from skin_tune.processes.loading import quick_imports
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.trial.context import Settings, WeightsTable


class TuneTrial(tune.Trainable):
    """A trial on one worker, one epoch a step.

    A trial that fails reports so in its last result (`failure_result`) instead of raising, so that its actor stays for
    the next one.
    """

    def setup(self, config: dict[str, Any], settings: Settings, weights: WeightsTable, cpus: int) -> None:
        with quick_imports():  # PyTorch, in the actor alone
            from skin_tune.tuning.backend.trial_worker import TrialWorker
        self._worker = TrialWorker(settings, weights, cpus)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._worker.forget()
        return True

    def step(self) -> dict[str, Any]:
        return self._worker.train_epoch(self.config)


def trainable_class(settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int) -> Any:
    """The Trainable for trials of one worker or of several, with what all of them share bound to it."""
    if resources.workers == 1:
        return tune.with_parameters(TuneTrial, settings=settings, weights=weights, cpus=resources.cpus)
    from skin_tune.tuning.backend.worker_group import (
        DistributedTrial,  # loads Ray Train, which one worker can do without
    )

    return tune.with_parameters(
        DistributedTrial, settings=settings, weights=weights, resources=resources, max_failures=max_failures
    )
