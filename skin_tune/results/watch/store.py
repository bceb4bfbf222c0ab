"""All experiments of a store, and the report of one, made when somebody asks for it."""

import glob
import math
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

from skin_tune.errors import StoreError
from skin_tune.results.store.schema import now
from skin_tune.results.watch.experiment import LiveExperiment, pause
from skin_tune.results.watch.parts import Stamps, stamps
from skin_tune.storage.files import Location, is_local
from skin_tune.storage.run_paths import RunPaths, one_name

_PARTITIONS = "region=*/experiment=*/*.parquet"

Key = tuple[str, str]
"""Region and experiment."""


class LiveStore:
    """Reads a store, and never writes to it. `price` is that of a GPU-hour.

    Raises StoreError without a store, and as LiveExperiment does.
    """

    def __init__(self, storage: Location, price: float | None = None):
        self.storage, self.price = storage, price
        self._results = RunPaths(storage).results
        if not self._results.is_dir():
            raise StoreError(f"no results below {str(storage)!r}; give the --storage of a run")
        self._experiments: dict[Key, LiveExperiment] = {}
        self._listed_at, self._version, self._here = -math.inf, 0, secrets.token_hex(4)
        self._reports: dict[Key, tuple[Stamps, bytes]] = {}
        self._lock, self._report_lock = threading.RLock(), threading.Lock()

    @property
    def poll_seconds(self) -> float:
        """How often a page may ask."""
        return 1.0 if is_local(self.storage) else 5.0

    def experiment(self, region: str, name: str) -> LiveExperiment | None:
        """One that the store has or had, by names that were found in it; None for any other."""
        with self._lock:
            if (region, name) not in self._experiments:
                self._list()
            return self._experiments.get((region, name))

    def index(self, since: str) -> dict[str, Any] | None:
        """The experiments, written last first; None where nothing has changed since the index of that version."""
        with self._lock:
            self._list()
            version = f"{self._here}.{self._version}"
            if since == version:
                return None
            found = sorted(self._experiments.values(), key=lambda each: each.written_at, reverse=True)
            return {
                "version": version,
                "experiments": [
                    {"region": each.region, "name": each.name, "metric": each.metric, "written_at": each.written_at}
                    | {"figures": each.figures, "problem": each.problem}
                    for each in found
                ],
            }

    def _list(self) -> None:
        if time.monotonic() - self._listed_at < pause(self.storage):
            return
        by_key: dict[Key, Stamps] = {}
        for file, stamp in stamps(self._results / "trials", _PARTITIONS).items():
            with suppress(StoreError):  # such a name is none of ours
                region, experiment = (one_name(part.partition("=")[2]) for part in file.parts[-3:-1])
                by_key.setdefault((region, experiment), {})[file] = stamp
        before = self._experiments
        self._experiments = {key: before.get(key) or LiveExperiment(self.storage, *key, self.price) for key in by_key}
        changed = [_look(self._experiments[key], found) for key, found in by_key.items()]
        self._version += any(changed) or before.keys() != by_key.keys()
        self._listed_at = time.monotonic()

    def report(self, region: str, experiment: str) -> bytes:
        """The report of an experiment, made anew once the store has changed.

        Raises StoreError as `write_report` does.
        """
        from skin_tune.results.report.page import page
        from skin_tune.results.report.section import sections

        with self._report_lock:
            found = stamps(self._results, f"*/region={glob.escape(region)}/*/*.parquet")
            made = self._reports.get((region, experiment))
            if made is None or made[0] != found:
                content = page(
                    sections(self.storage, region, experiment),
                    str(self.storage),
                    f"{now():%Y-%m-%d %H:%M} UTC",
                    self.price,
                ).encode()
                self._reports = {(region, experiment): (found, content)}  # one is kept: each has megabytes
            return self._reports[region, experiment][1]


def _look(experiment: LiveExperiment, found: Stamps) -> bool:
    """Whether anything has changed; a table that cannot be read is that experiment's own trouble."""
    before, experiment.problem = experiment.problem, ""
    try:
        return experiment.look_at_trials(found) or bool(before)
    except StoreError as error:
        experiment.problem = str(error)
        return experiment.problem != before
