"""A stored experiment as Ray Tune's own ResultGrid, for which Ray is imported and not started."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow.compute as pc
from pyarrow.fs import FileSystem, FSSpecHandler, LocalFileSystem, PyFileSystem
from ray.tune import Checkpoint, ExperimentAnalysis, ResultGrid

from skin_tune.results.store.ranking import metric_of, no_trial
from skin_tune.results.store.tables import load_table
from skin_tune.storage.files import Location, is_local, location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.lookup import only_region
from skin_tune.tuning.experiment.stored_trial import StoredTrial
from skin_tune.tuning.experiment.tune_columns import (
    best_epoch,
    configs_of,
    epochs_by_trial,
    last_epochs,
    result_frame,
    result_of,
)


class StoredAnalysis(ExperimentAnalysis):
    """Ray's analysis of trials whose epochs are at hand, where Ray reads a file of JSON lines for each."""

    def _fetch_trial_dataframes(self) -> dict[str, pd.DataFrame]:
        return {trial.trial_id: trial.epochs for trial in self.trials}

    def _retrieve_rows(self, metric: str | None = None, mode: str | None = None) -> dict[str, Any]:
        """Rows of the dataframe; those of last epochs are at hand, too."""
        if metric is not None:
            return super()._retrieve_rows(metric, mode)
        return {trial.trial_id: dict(trial.last_epoch) for trial in self.trials if trial.last_epoch}


def load_result_grid(storage: Location, experiment: str, region: str | None = None) -> ResultGrid:
    """The trials of an experiment; a combination of models is none.

    Raises StoreError where there is no such experiment, ExperimentError where several regions have one.
    """
    trials = load_table("trials", storage, region, experiment)
    trials = trials.filter(pc.is_null(trials["members"]))
    if not len(trials):
        raise no_trial(storage, region, experiment)
    region = only_region(trials["region"].to_pylist(), experiment)
    frame = result_frame(trials, load_table("epochs", storage, region, experiment))
    epochs, lasts, none = epochs_by_trial(frame), last_epochs(frame), pd.DataFrame()
    paths, files = RunPaths(storage.resolve()), arrow_files(storage)
    found = []
    rows = trials.select(["trial_id", "status", "error", "best_epoch", "checkpoint"]).to_pylist()
    for row, config in zip(rows, configs_of(trials), strict=True):
        folder = paths.checkpoints(region, experiment, row["trial_id"])
        part, last = epochs.get(row["trial_id"], none), lasts.get(row["trial_id"], {})
        found.append(_trial(row, config, part, last, folder, files))
    analysis = StoredAnalysis(
        f"{arrow_path(paths.experiment(region, experiment))}/experiment_state.json",  # Ray's, and not there
        storage_filesystem=files,
        trials=found,
        default_metric=metric_of(trials.select(["metric"]).to_pandas()),
        default_mode="max",
    )
    return ResultGrid(analysis)


def arrow_files(path: Location) -> FileSystem:
    """The file system of a path, as Arrow and Ray have it."""
    if is_local(path):
        return LocalFileSystem()
    bucket_path: Any = path
    return PyFileSystem(FSSpecHandler(bucket_path.fs))


def arrow_path(path: Location) -> str:
    """A path as `arrow_files` takes it."""
    bucket_path: Any = path
    return str(path) if is_local(path) else str(bucket_path.path)


def _trial(
    row: Mapping[str, Any],
    config: dict[str, Any],
    epochs: pd.DataFrame,
    last: Mapping[str, Any],
    folder: Location,
    files: FileSystem,
) -> StoredTrial:
    trial = StoredTrial(row, config, epochs, last, arrow_path(folder))
    if row["checkpoint"] is not None:
        model = Checkpoint(arrow_path(_model_folder(folder, row["checkpoint"])), files)
        trial.keep(model, result_of(best_epoch(epochs, row["best_epoch"]), config))
    return trial


def _model_folder(folder: Location, recorded: str) -> Location:
    """Where a trial's model is: in its `folder` below the storage, which may have moved, else where it was recorded."""
    file = location(recorded)
    return folder if (folder / file.name).is_file() else file.parent
