"""What writes the results store: one writer per experiment, and a note of each time a test split is opened."""

import math
import time
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.schema import EPOCHS, SCHEMAS, TEST_OPENINGS, TRIALS, now
from skin_tune.results.store.table_file import read_table
from skin_tune.results.store.table_rows import TYPES, save_table, write_rows
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths

_FILE = "data.parquet"
_FLUSH_SECONDS = 2.0
_FLUSH_SHARE = 20
"""A flush waits this many times as long as the last one took: writing costs at most a twentieth of the driver."""


class ExperimentWriter:
    """The one writer of one experiment. Rows an earlier writer left are kept and can be updated.

    Values are written at the next `flush`; callers that update often check `due` first.

    Raises StoreError, with the folder, where the storage cannot be written or another writer is alive.
    """

    def __init__(self, storage: Location, region: str, experiment: str):
        self._lock = lock_experiment(storage, region, experiment)
        self._storage = storage
        self._files = {table: RunPaths(storage).partition(table, region, experiment) / _FILE for table in SCHEMAS}
        self._trials: dict[str, dict[str, Any]] = {}
        self._epochs: dict[str, dict[int, dict[str, Any]]] = {}
        trials = _read(self._files["trials"], "trials")
        for row in trials.to_pylist():
            self._trials[row["trial_id"]] = row
        for row in _read(self._files["epochs"], "epochs").to_pylist():
            if row["trial_id"] not in self._trials:  # killed before it wrote that the trial had begun
                continue
            self._epochs.setdefault(row["trial_id"], {})[row["epoch"]] = row
        self._types = {field.name: field.type for field in trials.schema}
        self._changed = False
        self._flushed_at = -math.inf
        self._flush_took = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles whatever its callbacks hold; there is one writer, and a copy is none

    def set_types(self, columns: Mapping[str, type]) -> None:
        """Say what further columns of `trials` hold (bool, int, float or str), also where no row has a value."""
        self._types |= {name: TYPES[kind] for name, kind in columns.items()}

    def update_trial(self, trial_id: str, **values: Any) -> None:
        """Set columns of a trial's row, in a new one: what another thread reads of the rows stays as it was."""
        self._trials[trial_id] = {"trial_id": trial_id, **self._trials.get(trial_id, {}), **values}
        self._changed = True

    def add_epoch(self, trial_id: str, metrics: Mapping[str, Any]) -> None:
        """Record one epoch's metrics; one seen before, as after a restart, is replaced.

        The trial's `images` are those of its epochs; null where none says how many it drew, as in older versions.
        """
        epochs = self._epochs.setdefault(trial_id, {})
        epochs[int(metrics["epoch"])] = {"trial_id": trial_id, **metrics}
        drawn = [row["images"] for row in epochs.values() if row.get("images") is not None]
        if drawn and trial_id in self._trials:
            self.update_trial(trial_id, images=sum(drawn))
        self._changed = True

    def record_best(self, trial_id: str, metrics: Mapping[str, Any], checkpoint: str | None) -> None:
        """Make an epoch's metrics those of its trial, whose best epoch it is."""
        best = {name: value for name, value in metrics.items() if name.startswith(("train_", "val_"))}
        self.update_trial(trial_id, best_epoch=int(metrics["epoch"]), checkpoint=checkpoint, **best)

    def close(self) -> None:
        """Let another writer have the experiment."""
        self._lock.release()

    def discard(self) -> None:
        """Close, and leave no trace of an experiment of which nothing has been written."""
        self._lock.discard()

    def trial(self, trial_id: str) -> dict[str, Any]:
        """The columns set so far for a trial; empty for one never heard of."""
        return self._trials.get(trial_id, {})

    def trials(self) -> list[dict[str, Any]]:
        """All rows, in the order the trials started."""
        return list(self._trials.values())

    def epochs(self) -> list[dict[str, Any]]:
        """All rows of `epochs`."""
        return [row for epochs in self._epochs.values() for row in epochs.values()]

    def epochs_of(self, trial_id: str) -> list[dict[str, Any]]:
        """A trial's rows of `epochs`, in their order."""
        return [row for _, row in sorted(self._epochs.get(trial_id, {}).items())]

    def check(self) -> None:
        """Raise StoreError where the experiment is no longer this writer's: taken over, or removed."""
        self._lock.check()

    def due(self) -> bool:
        """Whether something has changed, and the last write was more than a moment ago."""
        wait = max(_FLUSH_SECONDS, _FLUSH_SHARE * self._flush_took)
        return self._changed and time.monotonic() - self._flushed_at >= wait

    def flush(self) -> None:
        """Write what has changed."""
        if not self._changed:
            return
        started = time.monotonic()
        self.check()
        write_rows(self._files["epochs"], EPOCHS, self.epochs(), within=self._storage)  # first: an ended trial has them
        write_rows(self._files["trials"], TRIALS, list(self._trials.values()), self._types, within=self._storage)
        self._changed = False
        self._flushed_at = time.monotonic()
        self._flush_took = self._flushed_at - started


def record_test_opening(
    storage: Location, region: str, experiment: str, trial_id: str, *, command: str, pack_id: str
) -> None:
    """Note, before it happens, that `command` opens a pack's test split for a model.

    Raises StoreError where the storage cannot be written.
    """
    opened_at = now()
    row = {"trial_id": trial_id, "opened_at": opened_at, "command": command, "pack_id": pack_id}
    folder = RunPaths(storage).partition("test_openings", region, experiment)
    save_table(folder / f"{opened_at:%Y%m%dT%H%M%S.%f}.parquet", pa.Table.from_pylist([row], TEST_OPENINGS))


def _read(file: Location, table: str) -> pa.Table:
    return read_table(file, table) if file.exists() else SCHEMAS[table].empty_table()
