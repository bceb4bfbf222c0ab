"""A trial of the store as Ray Tune's own Trial."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from ray.train._internal.session import _TrainingResult
from ray.tune import Checkpoint, PlacementGroupFactory
from ray.tune.error import TuneError
from ray.tune.experiment import Trial

from skin_tune.results.store.status import UNUSABLE
from skin_tune.tuning.experiment.tune_columns import result_of

_STATUSES = {
    "running": Trial.RUNNING,
    "interrupted": Trial.PAUSED,
    "completed": Trial.TERMINATED,
    "stopped_early": Trial.TERMINATED,
    **dict.fromkeys(UNUSABLE, Trial.ERROR),
}
_RESOURCES = PlacementGroupFactory([{"CPU": 1}])
"""Without any a Trial cannot be pickled."""
_LAST = (5, 10)
"""Over so many epochs at the end Tune averages a metric."""


class StoredTrial(Trial):
    """A trial that has been run, from its row of `trials`.

    `epochs` is its part of `result_frame`, `last` of `last_epochs`, `path` its folder. No trainable is needed.
    """

    def __init__(
        self, row: Mapping[str, Any], config: dict[str, Any], epochs: pd.DataFrame, last: Mapping[str, Any], path: str
    ):
        super().__init__("skin-tune", config=config, trial_id=row["trial_id"], stub=True)
        self.placement_group_factory = _RESOURCES
        self.status = _STATUSES.get(row["status"], Trial.PENDING)
        always = {"trial_id": row["trial_id"], "status": row["status"]}
        self.run_metadata.last_result = result_of({**always, **last}, config)
        self.epochs, self.last_epoch = epochs, last
        self._path = path
        self._error = row["error"] or row["status"]

    def keep(self, checkpoint: Checkpoint, metrics: dict[str, Any]) -> None:
        """Note its checkpoint, and what the epoch of that reported."""
        self.run_metadata.checkpoint_manager.register_checkpoint(_TrainingResult(checkpoint, metrics))

    @property
    def path(self) -> str:
        return self._path

    @cached_property
    def metric_analysis(self) -> "MetricAnalysis":
        """Extremes and averages of each metric; none of a trial that diverged or failed, so that it never wins."""
        return MetricAnalysis(self.epochs.iloc[:0] if self.status == Trial.ERROR else self.epochs)

    def get_pickled_error(self) -> TuneError | None:
        """The error that ended it, of which the store has the message."""
        return TuneError(self._error) if self.status == Trial.ERROR else None


class MetricAnalysis(Mapping[str, Mapping[str, float]]):
    """What Tune keeps of each metric of a trial, worked out when it is asked for."""

    def __init__(self, epochs: pd.DataFrame):
        self._epochs = epochs
        self._known: dict[str, Mapping[str, float]] = {}

    def __getitem__(self, metric: str) -> Mapping[str, float]:
        if metric not in self._known:
            self._known[metric] = self._worked_out(metric)
        return self._known[metric]

    def _worked_out(self, metric: str) -> Mapping[str, float]:
        column = self._epochs[metric].to_numpy()
        values = column[~np.isnan(column)].tolist() if column.dtype.kind in "if" else []
        if not values:
            raise KeyError(metric)
        averages = {f"last-{many}-avg": sum(values[-many:]) / len(values[-many:]) for many in _LAST}
        whole = {"max": max(values), "min": min(values), "avg": sum(values) / len(values), "last": values[-1]}
        return whole | averages

    def __iter__(self) -> Iterator[str]:
        return (name for name in map(str, self._epochs) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
