"""The end of a run that has used up its GPU-hours."""

from collections.abc import Sequence
from typing import Any

from ray.tune import Stopper

from skin_tune.results.store.tables import ExperimentWriter


class GpuBudget(Stopper):
    """Ends a run once its experiments, earlier runs of theirs included, have held GPUs for so many hours."""

    def __init__(self, hours: float, writers: Sequence[ExperimentWriter]):
        self._seconds, self._writers = 3600 * hours, writers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        spent = sum(row.get("gpu_seconds") or 0.0 for writer in self._writers for row in writer.trials())
        return spent >= self._seconds
