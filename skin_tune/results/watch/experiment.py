"""One experiment as it grows: what has changed in it since somebody last asked."""

import math
import secrets
import threading
import time
from typing import Any

from skin_tune.metrics import SELECTION_METRICS
from skin_tune.results.store.notes import read_note, wrong_spec
from skin_tune.results.store.status import unfinished
from skin_tune.results.watch.columns import COLUMNS, Row, points_of, rows_of
from skin_tune.results.watch.holder import is_held
from skin_tune.results.watch.parts import Parts, Stamps, stamps
from skin_tune.results.watch.summary import states, summary
from skin_tune.storage.files import Location, is_local
from skin_tune.storage.run_paths import RunPaths

_LOCAL_SECONDS, _BUCKET_SECONDS = 0.4, 4.0
"""So often is the storage looked at, at most, however many pages ask."""

Trial = dict[str, Any]


def pause(storage: Location) -> float:
    """Seconds between two looks at a storage; each look at a bucket is a few requests."""
    return _LOCAL_SECONDS if is_local(storage) else _BUCKET_SECONDS


class LiveExperiment:
    """Keeps what it has read, and reads a file again only once it has changed.

    Its methods raise StoreError or OSError where the storage cannot be read; what was known before stays known. `price`
    is that of a GPU-hour.
    """

    def __init__(self, storage: Location, region: str, name: str, price: float | None):
        self.region, self.name = region, name
        self.metric = SELECTION_METRICS[0]
        self.written_at = 0.0
        self.figures: dict[str, Any] = {}
        """Its `summary`; empty until its trials have been read."""
        self.problem = ""
        """Why its trials could not be read the last time."""
        self._paths, self._price = RunPaths(storage), price
        self._lock_file = self._paths.lock(region, name)
        self._pause, self._looked_at = pause(storage), -math.inf
        self._trials, self._found = Parts("trials", COLUMNS), Stamps()
        self._curves, self._found_curves, self._curves_of = Parts("epochs", ()), Stamps(), ""
        self._stored: list[Row] = []
        self._held: bool | None = False
        self._rows: list[Row] = []
        self._looks, self._noted = 0, 0
        self._known: dict[str, tuple[int, Trial]] = {}
        self._here, self._version, self._lost_at = secrets.token_hex(4), 0, 0
        self._lock = threading.RLock()

    def look_at_trials(self, found: Stamps) -> bool:
        """Read the rows of `trials`, whose files are `found`, if they have changed; whether anything has."""
        with self._lock:
            changed = found != self._found
            if changed:
                self._stored = [row for table in self._trials.read(found) for row in rows_of(table)]
                self._found = found
            asks = is_local(self._lock_file) or any(map(unfinished, self._stored))  # a request for each in a bucket
            held = is_held(self._lock_file) if asks else False
            if not changed and held == self._held:
                return False
            self._held = held
            note = read_note(self._paths.spec(self.region, self.name))
            spec = {} if wrong_spec(note) else note
            self.metric = _metric(spec.get("metric") or next((row["metric"] for row in self._stored), None))
            self._rows = states(self._stored, held)
            self.figures = summary(self._rows, self.metric, spec.get("trials"), self._price, held)
            self.written_at = max((stamp.written_at for stamp in found.values()), default=0.0)
            self._looks += 1
            return True

    def changes(self, since: str) -> dict[str, Any] | None:
        """The figures, and the trials that have changed since the state of that version; None where nothing has.

        All trials where the version is of another time, or where a trial has gone. An empty dict where the experiment
        has gone.
        """
        with self._lock:
            if time.monotonic() - self._looked_at >= self._pause:
                if not self._look():
                    return {}
                self._looked_at = time.monotonic()
            here, _, number = since.partition(".")
            asked = int(number) if here == self._here and number.isdecimal() else -1
            if asked == self._version:
                return None
            whole = asked < self._lost_at
            return {
                "version": f"{self._here}.{self._version}",
                "whole": whole,
                "metric": self.metric,
                "written_at": self.written_at,
                "figures": self.figures,
                "trials": [trial for changed, trial in self._known.values() if whole or changed > asked],
            }

    def _look(self) -> bool:
        """Read what has changed; False where no trial is left."""
        partition = self._paths.partition
        epochs = stamps(partition("epochs", self.region, self.name), "*.parquet")
        trials = stamps(partition("trials", self.region, self.name), "*.parquet")
        if not trials:
            return False
        self.look_at_trials(trials)
        if self._noted == self._looks and epochs == self._found_curves:
            return True
        if self._curves_of != self.metric:
            self._curves, self._curves_of = Parts("epochs", ("trial_id", "epoch", self.metric)), self.metric
        points = points_of(self._curves.read(epochs), self.metric)
        self._found_curves, self._noted = epochs, self._looks
        self._note([self._trial(row, points.get(row["trial_id"], [])) for row in self._rows])
        return True

    def _trial(self, row: Row, points: list[Any]) -> Trial:
        return {
            "id": row["trial_id"],
            "status": row["status"],
            "score": row[self.metric],
            "best_epoch": row["best_epoch"],
            "epochs": row["epochs"] or 0,
            "of": row["config/epochs"],
            "hours": ((row["gpu_seconds"] or row["seconds"]) or 0) / 3600,
            "error": row["error"],
            "points": points,
        }

    def _note(self, trials: list[Trial]) -> None:
        self._version += 1
        now = {trial["id"]: trial for trial in trials}
        if self._known.keys() - now.keys():
            self._lost_at = self._version
        before = self._known
        self._known = {
            name: before[name] if name in before and before[name][1] == trial else (self._version, trial)
            for name, trial in now.items()
        }


def _metric(name: Any) -> str:
    return name if name in SELECTION_METRICS else SELECTION_METRICS[0]
