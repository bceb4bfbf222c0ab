"""Epochs of the store with the columns that Ray Tune gives a result."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skin_tune.results.store.status import unfinished
from skin_tune.text.numbers import none_if_nan

_CONFIG = "config/"
_NOT_KEPT = ("checkpoint_dir_name", "pid", "hostname", "node_ip", "time_since_restore", "iterations_since_restore")
"""What Ray Tune notes of a result and the store does not; null."""


def configs_of(trials: pa.Table) -> list[dict[str, Any]]:
    """The hyper-parameters of each of `trials`, by their names; None for what is dead."""
    config = trials.select([name for name in trials.column_names if name.startswith(_CONFIG)])
    return config.rename_columns([name.removeprefix(_CONFIG) for name in config.column_names]).to_pylist()


def result_frame(trials: pa.Table, epochs: pa.Table) -> pd.DataFrame:
    """One row per epoch of `trials`, in their order, with Tune's columns beside those of `epochs`.

    `training_iteration` is the epoch and `time_this_iter_s` its seconds. `time_total_s` of the last epoch is the
    trial's `seconds`; those before it, and the `timestamp` of each, are counted back from the trial's end by the
    seconds of the later epochs.
    """
    places = pc.index_in(epochs["trial_id"], value_set=trials["trial_id"])
    epochs = epochs.append_column("_place", places).filter(pc.is_valid(places))
    epochs = epochs.sort_by([("_place", "ascending"), ("epoch", "ascending")])
    place = epochs["_place"]
    own = trials.take(place)
    frame = _frame(epochs.drop_columns(["_place"]))
    later = _seconds_of_later_epochs(frame)
    told = {
        "status": pd.Series(own["status"].to_numpy(), dtype=object),
        "training_iteration": frame["epoch"],
        "time_this_iter_s": frame["epoch_seconds"],
        "time_total_s": own["seconds"].to_numpy() - later,
        **_clock(own, later),
        "done": _done(trials, place, frame),
        **dict.fromkeys(_NOT_KEPT),
    }
    config = _frame(own.select([name for name in own.column_names if name.startswith(_CONFIG)]))
    # A copy has one block for each kind of values: it is cut into as many parts as there are trials.
    return pd.concat([frame, pd.DataFrame(told, frame.index), config], axis=1).copy()


def epochs_by_trial(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The part of each trial of a `result_frame`, with its rows numbered from 0."""
    parts, start = {}, 0
    for trial_id, many in frame["trial_id"].value_counts(sort=False).items():
        part = frame.iloc[start : start + many]
        part.index = pd.RangeIndex(many)
        parts[str(trial_id)] = part
        start += many
    return parts


def last_epochs(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The last row of each trial of a `result_frame`, without its config."""
    figures = frame[[name for name in frame if not str(name).startswith(_CONFIG)]]
    rows = figures.drop_duplicates("trial_id", keep="last").to_dict("records")
    return {row["trial_id"]: {str(name): value for name, value in row.items()} for row in rows}


def best_epoch(epochs: pd.DataFrame, best: int | None) -> dict[str, Any]:
    """The row of epoch `best` of a trial's part of a `result_frame`, without its config; empty where there is none."""
    rows = epochs[epochs["epoch"] == best] if len(epochs) else epochs
    return next(iter(last_epochs(rows).values()), {}) if len(rows) else {}


def result_of(epoch: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `last_epochs` as Tune reports it: with the config in one piece, and None for gaps."""
    return {**{name: none_if_nan(value) for name, value in epoch.items()}, "config": dict(config)}


def _frame(table: pa.Table) -> pd.DataFrame:
    """A table with texts as plain objects: pandas keeps every column of its own kind of text for itself."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()})


def _seconds_of_later_epochs(frame: pd.DataFrame) -> pd.Series:
    """Seconds that each row's trial went on for; exactly 0 for its last epoch."""
    backwards = frame["epoch_seconds"].iloc[::-1]
    trial = frame["trial_id"].iloc[::-1]
    so_far = backwards.fillna(0.0).groupby(trial, sort=False).cumsum()
    return so_far.groupby(trial, sort=False).shift(1, fill_value=0.0).iloc[::-1]


def _clock(own: pa.Table, later: pd.Series) -> dict[str, pd.Series]:
    """Seconds since 1970 at the end of each epoch, and the same in words and UTC."""
    started, ended = (pc.cast(own[name], pa.int64()).to_pandas() / 1e6 for name in ("started_at", "ended_at"))
    at = ended.fillna(started + own["seconds"].to_numpy()) - later
    seconds = pc.cast(pc.floor(pa.array(at, from_pandas=True)), pa.int64())
    date = pc.strftime(pc.cast(seconds, pa.timestamp("s")), format="%Y-%m-%d_%H-%M-%S")
    words = pd.Series(date.to_numpy(zero_copy_only=False), dtype=object)
    return {"timestamp": seconds.to_pandas(), "date": words}


def _done(trials: pa.Table, place: pa.ChunkedArray, frame: pd.DataFrame) -> pd.Series:
    """Whether each row is the last epoch of a trial that is over."""
    over = [not unfinished(row) for row in trials.select(["status", "ended_at"]).to_pylist()]
    is_last = ~frame["trial_id"].duplicated(keep="last")
    return is_last & pc.take(pa.array(over), place).to_pandas()
