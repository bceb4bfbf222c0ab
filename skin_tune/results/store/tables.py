"""The Parquet results store: hive-partitioned tables that pandas, DuckDB and Polars read as they are.

Each experiment is one file per table, rewritten whole under a temporary name and renamed: there is one writer per
experiment, and a reader sees the state of a moment, never half of one.
"""

import glob
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skin_tune.errors import StoreError
from skin_tune.results.store.lock import lock_experiment
from skin_tune.results.store.schema import EPOCHS, PREDICTIONS, SCHEMAS, TEST_OPENINGS, TRIALS, now
from skin_tune.results.store.table_file import check_same_kinds, read_table
from skin_tune.storage.files import Location, atomic_write, cannot_write, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths, one_name
from skin_tune.text.numbers import none_if_nan

Names = Sequence[str] | None

_Types = Mapping[str, pa.DataType]
_NO_TYPES: _Types = {}

_FILE = "data.parquet"
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_READERS = 16
"""Files that are read at a time."""
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
        self._types |= {name: _TYPES[kind] for name, kind in columns.items()}

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
        _write(self._files["epochs"], EPOCHS, self.epochs())  # first: a trial that has ended has its epochs
        _write(self._files["trials"], TRIALS, list(self._trials.values()), self._types)
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


def load_trials(storage: str | Location, region: str | None = None, experiment: str | None = None) -> pd.DataFrame:
    """One row per trial, in the order they started within each experiment; empty where nothing matches.

    Hyper-parameters are columns `config/<name>`, as in Tune's own dataframes. Raises StoreError without a store.

    >>> from skin_tune import load_trials
    >>> trials = load_trials("runs", region="lip_dryness")
    >>> trials[["region", "experiment", "status", "config/backbone"]].iloc[0].tolist()
    ['lip_dryness', 'first', 'completed', 'resnet18']
    """
    return load_table("trials", storage, region, experiment).to_pandas()


def trials_frame(
    rows: Sequence[Mapping[str, Any]], region: str, experiment: str, types: Mapping[str, type]
) -> pd.DataFrame:
    """Rows of an experiment as `load_trials` gives them; `types` are those of `ExperimentWriter.set_types`."""
    table = _table(TRIALS, rows, {name: _TYPES[kind] for name, kind in types.items()})
    return _placed(table, f"region={region}", f"experiment={experiment}").to_pandas()


def load_epochs(
    storage: str | Location, region: str | None = None, experiment: str | None = None, *, columns: Names = None
) -> pd.DataFrame:
    """One row per (trial, epoch); empty where nothing matches.

    `columns` of the table are read, all if None; `region` and `experiment` come with them. Raises StoreError where
    there is no store.

    >>> from skin_tune import load_epochs
    >>> epochs = load_epochs("runs", experiment="first", columns=["trial_id", "epoch", "val_balanced_acc"])
    >>> epochs.pivot(index="epoch", columns="trial_id", values="val_balanced_acc").shape
    (1, 2)
    """
    return load_table("epochs", storage, region, experiment, columns=columns).to_pandas()


def load_predictions(
    storage: str | Location,
    region: str | None = None,
    experiment: str | None = None,
    *,
    split: str | None = None,
    trial: str | None = None,
    columns: Names = None,
) -> pd.DataFrame:
    """One row per image that a model was asked about: its class and the probabilities [K] it was given.

    `columns` of the table are read, all if None; `region` and `experiment` come with them. Those that a file of an
    older version lacks are null. Empty where nothing matches. Raises StoreError where there is no store. `trial` needs
    its `split`.
    """
    files = f"{glob.escape(one_name(trial)) if trial else '*'}-{split or '*'}"
    table = load_table("predictions", storage, region, experiment, files, columns or PREDICTIONS.names)
    return table.to_pandas()


def load_test_openings(
    storage: str | Location, region: str | None = None, experiment: str | None = None
) -> pd.DataFrame:
    """One row for each time that a test split was opened. Raises StoreError where there is no store."""
    return load_table("test_openings", storage, region, experiment).to_pandas()


def load_table(
    table: str,
    storage: str | Location,
    region: str | None,
    experiment: str | None,
    file: str = "*",
    columns: Names = None,
) -> pa.Table:
    """Rows of one of the tables of SCHEMAS as they are stored: whole numbers stay whole beside gaps.

    `file` is a pattern of the names of its files. Raises StoreError where there is no store.
    """
    root = RunPaths(location(storage)).results
    if not root.is_dir():
        raise StoreError(f"no results below {str(storage)!r}; give the --storage of a run")
    files = sorted_glob(root, f"{table}/region={region or '*'}/experiment={experiment or '*'}/{file}.parquet")
    with ThreadPoolExecutor(_READERS) as readers:  # a bucket takes a tenth of a second for each
        parts = list(readers.map(lambda file: _placed(read_table(file, table, columns), *file.parts[-3:-1]), files))
    check_same_kinds(zip(files, parts, strict=True))
    if not parts:
        parts = [_placed(SCHEMAS[table].empty_table().select(columns or SCHEMAS[table].names), "", "")]
    whole = pa.concat_tables(parts, promote_options="permissive")
    for field in SCHEMAS[table]:
        if field.name in (columns or ()) and field.name not in whole.column_names:  # all files are older than it
            whole = whole.append_column(field, pa.nulls(len(whole), field.type))
    return whole


def _placed(part: pa.Table, *folders: str) -> pa.Table:
    for position, (name, folder) in enumerate(zip(("region", "experiment"), folders, strict=True), start=1):
        part = part.add_column(position, name, pa.repeat(folder.partition("=")[2], len(part)).cast(pa.string()))
    return part


def _read(file: Location, table: str) -> pa.Table:
    return read_table(file, table) if file.exists() else SCHEMAS[table].empty_table()


def _table(schema: pa.Schema, rows: Sequence[Mapping[str, Any]], types: _Types = _NO_TYPES) -> pa.Table:
    """`rows` with the columns of `schema` and others; of `types` are those of which no row has a value."""
    columns = {name: [none_if_nan(row.get(name)) for row in rows] for name in schema.names}
    extra = dict.fromkeys(name for row in rows for name in row if name not in columns)
    columns |= {name: [none_if_nan(row.get(name)) for row in rows] for name in extra}
    filled = {name for name, values in columns.items() if any(value is not None for value in values)}
    arrays = [
        pa.array(values, _type_of(name, schema) or (None if name in filled else types.get(name)))
        for name, values in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _write(file: Location, schema: pa.Schema, rows: list[dict[str, Any]], types: _Types = _NO_TYPES) -> None:
    table = _table(schema, rows, types)
    # Measured values hardly repeat: split into their bytes they are written and read several times faster.
    measured = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    others = [name for name in table.column_names if name not in measured]
    save_table(file, table, use_dictionary=others, use_byte_stream_split=measured)


def _type_of(column: str, schema: pa.Schema) -> pa.DataType | None:
    """None: what the values say. A metric of a class without images has none, and would be of type null."""
    if column in schema.names:
        return schema.field(column).type
    return pa.float64() if column.startswith(("train_", "val_")) else None


def save_table(file: Location, table: pa.Table, **encoding: Any) -> None:
    """Write a table in one step. Raises StoreError where the storage cannot be written."""
    try:
        with atomic_write(file) as temporary:
            pq.write_table(table, temporary, compression="zstd", **encoding)
    except OSError as error:
        raise cannot_write(file.parent, error) from None
