"""The live line of an experiment while its trials run."""

import time
from collections.abc import Mapping
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from skin_tune.results.store.remaining import WAITING
from skin_tune.results.store.status import unfinished
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.tracking.live_line import LiveLine
from skin_tune.tuning.tracking.progress_line import progress_line
from skin_tune.tuning.trial.context import REGION, TRIAL_ID


class ProgressCallback(Callback):
    """Keeps `line` to what the rows of the experiments, by region, say at the moment.

    Which trials run is what Tune says: the row of one that was killed says so, too, until it goes on.
    """

    def __init__(self, writers: Mapping[str, ExperimentWriter], metric: str | None, trials: int, line: LiveLine):
        self._writers, self._metric, self._trials, self._line = writers, metric, trials, line
        self._running: set[tuple[str, str]] = set()
        self._began = time.monotonic()
        self._first_began: float | None = None
        rows = self._rows()
        self._done_before = sum(not unfinished(row) for row in rows)
        self._epochs_before = sum(row.get("epochs") or 0 for row in rows)
        line.follow(self._text)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; a copy has no line to write

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._first_began = self._first_began or time.monotonic()
        self._running.add(_key(trial))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._running.discard(_key(trial))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._running.discard(_key(trial))

    def close(self) -> None:
        """Leave the last state of the line behind."""
        self._line.close(leave=True)

    def _text(self, width: int) -> str:
        return progress_line(
            self._rows(),
            self._metric,
            self._trials,
            time.monotonic() - (self._first_began or self._began),
            done_before=self._done_before,
            epochs_before=self._epochs_before,
            width=width,
        )

    def _rows(self) -> list[Mapping[str, Any]]:
        """Rows of the store, each with its trial's present state as its status."""
        rows: list[Mapping[str, Any]] = []
        for region, writer in self._writers.items():
            for row in writer.trials():
                if (region, row["trial_id"]) in self._running:
                    rows.append({**row, "status": "running"})
                else:
                    rows.append({**row, "status": WAITING} if unfinished(row) else row)
        return rows


def _key(trial: Trial) -> tuple[str, str]:
    return trial.config[REGION], trial.config[TRIAL_ID]
