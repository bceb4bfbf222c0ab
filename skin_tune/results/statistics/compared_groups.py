"""Compared trials by group of people or photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import is_adjusted, metrics_for, val_metric
from skin_tune.results.statistics.attributes import ATTRIBUTES, group_names, known_attributes
from skin_tune.results.statistics.bootstrap import resample_counts
from skin_tune.results.statistics.run_names import without_fold
from skin_tune.results.statistics.subgroup_rows import gap_rows, group_row
from skin_tune.results.statistics.subgroups import GROUP_RESAMPLES, grouping_of
from skin_tune.results.statistics.trial_predictions import ComparableTrials, predictions

_KEY = ["experiment", "trial_id"]


@dataclass(frozen=True)
class ComparedGroups:
    """Tables of `Comparison.groups` and `Comparison.gaps`, see there."""

    groups: pd.DataFrame
    gaps: pd.DataFrame


def compared_groups(
    storage: Any,
    region: str,
    trials: pd.DataFrame,
    gathered: ComparableTrials,
    by: Sequence[str],
    metric: str,
    resamples: int,
    seed: int,
) -> ComparedGroups:
    """The compared `trials` of `gathered`, in their order, by each of the attributes `by`.

    The figures are of the decision that `metric` is of.

    Raises StoreError for an attribute that the store knows of no image.
    """
    assert gathered.tallies is not None
    adjusted, classes = is_adjusted(metric), gathered.tallies.true.shape[-1]
    experiments = list(map(str, trials["experiment"].unique()))
    rows = predictions(storage, region, experiments, adjusted, gathered.split, extra=("source", *ATTRIBUTES))
    if gathered.split == "oof":
        rows = rows.assign(trial_id=rows["trial_id"].map(without_fold))
    _check_known(rows, by, region)
    draws_of = lru_cache(maxsize=32)(partial(resample_counts, resamples=min(resamples, GROUP_RESAMPLES), seed=seed))
    metrics, named = metrics_for(gathered.ordinal), partial(val_metric, adjusted=adjusted)
    groups: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    places = rows.groupby(_KEY, sort=False).indices
    for attribute in by:
        grouped = rows.assign(group=_groups(rows, attribute))
        for key in trials[_KEY].itertuples(index=False, name=None):
            found = grouping_of(attribute, grouped.iloc[places[key]], classes, metrics, draws_of)
            own = {"attribute": attribute, **dict(zip(_KEY, key, strict=True))}
            groups += [own | group_row(group, gathered.class_names, named) for group in found.groups]
            gaps += [own | row for row in gap_rows(found, named)]
    columns = ["attribute", *_KEY, "metric", "worst", "best", "gap", "gap_low", "gap_high", "p"]
    return ComparedGroups(pd.DataFrame(groups), pd.DataFrame(gaps, columns=columns))


def _check_known(rows: pd.DataFrame, by: Sequence[str], region: str) -> None:
    known = known_attributes(rows)
    for attribute in by:
        if attribute not in known:
            said = f"they say {', '.join(known)}" if known else "nothing is known of whom they show, and how"
            raise StoreError(f"--by {attribute!r}: no image of {region} says it; {said}")


def _groups(rows: pd.DataFrame, attribute: str) -> pd.Series:
    """The group of each image, also where only another trial's predictions say of it, as of a newer version."""
    said = rows.dropna(subset=[attribute]).drop_duplicates("source").set_index("source")[attribute]
    return group_names(rows[attribute].where(rows[attribute].notna(), rows["source"].map(said)), attribute)
