"""Trials of the store, best first."""

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import LESS_IS_BETTER, formula_of
from skin_tune.results.store.classes import check_has_metric
from skin_tune.results.store.status import are_usable
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location

_DEFAULT_METRIC = "val_balanced_acc"
_LESS_IS_BETTER = ("train_loss", "val_loss", "seconds", "gpu_seconds", "images")


def rank_trials(
    storage: Location,
    *,
    region: str | None = None,
    experiment: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """The store's `trials`, best `sort` (or `metric_of`) first; diverged and failed trials, which never win, come last.

    Raises StoreError where nothing matches, or `sort` is no metric of the store or of these trials.
    """
    if limit is not None and limit < 1:
        raise StoreError(f"--limit {limit} is below 1")
    frame = load_trials(storage, region, experiment)
    if frame.empty:
        raise no_trial(storage, region, experiment)
    sort = sort or metric_of(frame)
    check_has_metric(frame, sort)
    if sort not in frame or not pd.api.types.is_numeric_dtype(frame[sort]):
        metrics = [name for name in map(str, frame) if name.startswith(("val_", "train_")) or _less_is_better(name)]
        raise StoreError(f"--sort {sort!r} is not a metric of the store; it has {', '.join(metrics)}")
    return best_first(frame, sort).head(limit or len(frame))


def metric_of(trials: pd.DataFrame) -> str:
    """The metric that rows of `trials` were chosen by, if it was one for all; else balanced accuracy.

    Stores of older versions do not say.
    """
    chosen_by = set(trials["metric"].dropna()) if "metric" in trials else set()
    return str(*chosen_by) if len(chosen_by) == 1 else _DEFAULT_METRIC


def best_first(trials: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of the store's `trials`, best `metric` first, those that cannot win last."""
    order = trials.assign(_unusable=~are_usable(trials)).sort_values(
        ["_unusable", metric], ascending=[True, _less_is_better(metric)], na_position="last", kind="stable"
    )
    return order.drop(columns="_unusable").reset_index(drop=True)


def _less_is_better(column: str) -> bool:
    return column in _LESS_IS_BETTER or formula_of(column) in LESS_IS_BETTER


def no_trial(storage: str | Location, region: str | None, experiment: str | None) -> StoreError:
    """The error of a store that has no such trial; it says what the store holds."""
    asked = (("region", region), ("experiment", experiment))
    wanted = " ".join(f"{name} {value!r}" for name, value in asked if value)
    known = load_trials(storage)[["region", "experiment"]].drop_duplicates().itertuples(index=False)
    holds = ", ".join(f"{row.region}/{row.experiment}" for row in known) or "none"
    return StoreError(f"no trial of {wanted or 'any experiment'} below {str(storage)!r}; it holds {holds}")


def varied(frame: pd.DataFrame) -> list[str]:
    """The `config/` columns of which the rows of `frame` have different values; a gap, where it is dead, is none."""
    columns = [name for name in map(str, frame) if name.startswith("config/")]
    return [name for name in columns if frame[name].nunique() > 1]
