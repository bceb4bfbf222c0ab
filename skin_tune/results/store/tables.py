"""The Parquet results store: hive-partitioned tables that pandas, DuckDB and Polars read as they are.

Each experiment is one file per table, rewritten whole under a temporary name and renamed: there is one writer per
experiment, and a reader sees the state of a moment, never half of one.
"""

import glob
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pyarrow as pa

from skin_tune.errors import StoreError
from skin_tune.results.store.schema import PREDICTIONS, SCHEMAS, TRIALS
from skin_tune.results.store.table_file import check_same_kinds, read_table
from skin_tune.results.store.table_rows import TYPES, table_of
from skin_tune.storage.files import Location, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths, one_name

Names = Sequence[str] | None

_READERS = 16
"""Files that are read at a time."""


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
    table = table_of(TRIALS, rows, {name: TYPES[kind] for name, kind in types.items()})
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
