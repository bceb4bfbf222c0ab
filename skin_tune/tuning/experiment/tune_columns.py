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


def config_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The hyper-parameters in a row of `trials`, by their names; None for what is dead."""
    return {name.removeprefix(_CONFIG): value for name, value in row.items() if name.startswith(_CONFIG)}


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
    frame = epochs.drop_columns(["_place"]).to_pandas()
    own = trials.take(place)
    later = _seconds_of_later_epochs(frame)
    told = {
        "status": own["status"].to_pandas(),
        "training_iteration": frame["epoch"],
        "time_this_iter_s": frame["epoch_seconds"],
        "time_total_s": own["seconds"].to_pandas() - later,
        **_clock(own, later),
        "done": _done(trials, place, frame),
    }
    columns = [name for name in trials.column_names if name.startswith(_CONFIG)]
    nothing = pd.DataFrame(None, frame.index, list(_NOT_KEPT), dtype=object)
    return pd.concat([frame, pd.DataFrame(told), nothing, own.select(columns).to_pandas()], axis=1)


def epochs_by_trial(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The part of each trial of a `result_frame`, with its rows numbered from 0."""
    parts, start = {}, 0
    for trial_id, many in frame["trial_id"].value_counts(sort=False).items():
        part = frame.iloc[start : start + many]
        part.index = pd.RangeIndex(many)
        parts[str(trial_id)] = part
        start += many
    return parts


def result_of(epoch: Mapping[Any, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `result_frame` as Tune reports it: the config in one piece, None for gaps."""
    figures = {str(name): none_if_nan(value) for name, value in epoch.items() if not str(name).startswith(_CONFIG)}
    return {**figures, "config": dict(config)}


def _seconds_of_later_epochs(frame: pd.DataFrame) -> pd.Series:
    """Seconds that each row's trial went on for; exactly 0 for its last epoch."""
    backwards = frame["epoch_seconds"].iloc[::-1]
    trial = frame["trial_id"].iloc[::-1]
    so_far = backwards.fillna(0.0).groupby(trial, sort=False).cumsum()
    return so_far.groupby(trial, sort=False).shift(1, fill_value=0.0).iloc[::-1]


def _clock(own: pa.Table, later: pd.Series) -> dict[str, pd.Series]:
    """Seconds since 1970 at the end of each epoch, and the same in words and UTC."""
    started, ended = (pc.cast(own[name], pa.int64()).to_pandas() / 1e6 for name in ("started_at", "ended_at"))
    at = ended.fillna(started + own["seconds"].to_pandas()) - later
    whole = pa.array(at, from_pandas=True)
    seconds = pc.cast(pc.floor(whole), pa.int64())
    date = pc.strftime(pc.cast(seconds, pa.timestamp("s")), format="%Y-%m-%d_%H-%M-%S")
    return {"timestamp": seconds.to_pandas(), "date": date.to_pandas()}


def _done(trials: pa.Table, place: pa.ChunkedArray, frame: pd.DataFrame) -> pd.Series:
    """Whether each row is the last epoch of a trial that is over."""
    over = [not unfinished(row) for row in trials.select(["status", "ended_at"]).to_pylist()]
    is_last = ~frame["trial_id"].duplicated(keep="last")
    return is_last & pc.take(pa.array(over), place).to_pandas()
