"""The workers of a training outside a Tune run: one reused actor, or a worker group."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import ray

from skin_tune.tuning.backend.lost_workers import WorkersLostError, reason_of
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.backend.trial_worker import TrialWorker
from skin_tune.tuning.trial.context import TRIAL_ID, Settings, WeightsTable
from skin_tune.tuning.trial.epochs import failure_result

_Result = TypeVar("_Result")


class Workers(Protocol):
    """Processes that train."""

    def train_epoch(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Train a Tune config for one more epoch, from its last checkpoint where workers were lost; its result.

        Raises WorkersLostError where there is no going on.
        """

    def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """`function(*arguments)` on one of them, once nothing is left to train. Raises WorkersLostError."""

    def close(self) -> None:
        """End them."""


@contextmanager
def start_workers(
    settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int
) -> Iterator[Workers]:
    """`resources.workers` of them for the length of the block; lost ones are replaced `max_failures` times a trial."""
    workers: Workers
    if resources.workers == 1:
        workers = OneWorker(settings, weights, resources, max_failures)
    else:
        from skin_tune.tuning.backend.worker_group import GroupOfWorkers  # loads Ray Train

        workers = GroupOfWorkers(settings, weights, resources, max_failures)
    try:
        yield workers
    finally:
        workers.close()


class OneWorker:
    """A TrialWorker in an actor of its own."""

    def __init__(self, settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int):
        shared = ray.put(weights)
        actor = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(TrialWorker)
        self._start: Callable[[], Any] = lambda: actor.remote(settings, shared, resources.cpus)
        self._worker = self._start()
        self._max_failures = max_failures
        self._failures: Counter[str] = Counter()

    def train_epoch(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        trial_id = config[TRIAL_ID]
        while True:
            try:
                result: Mapping[str, Any] = ray.get(self._worker.train_epoch.remote(config))
                return result
            except ray.exceptions.RayError as error:
                self._failures[trial_id] += 1
                if self._failures[trial_id] > self._max_failures:
                    lost = f"its worker was lost {self._failures[trial_id]} times: {reason_of(error)}"
                    return failure_result(WorkersLostError(lost), 0)
                self.close()
                self._worker = self._start()

    def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        try:
            result: _Result = ray.get(self._worker.run.remote(function, *arguments))
        except ray.exceptions.RayError as error:
            raise WorkersLostError(reason_of(error)) from None
        return result

    def close(self) -> None:
        ray.kill(self._worker)
