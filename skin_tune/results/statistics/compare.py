"""Which of a region's trials is better, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.metrics import LESS_IS_BETTER, METRICS, decision_metric, formula_of, is_adjusted, metrics_for, val_metric
from skin_tune.results.statistics.attributes import checked_attributes
from skin_tune.results.statistics.bootstrap import RESAMPLES, resample_counts
from skin_tune.results.statistics.compared_figures import AGAINST, BOUNDS, figures_of
from skin_tune.results.statistics.compared_groups import compared_groups
from skin_tune.results.statistics.run_names import confirmed_by, folds_of
from skin_tune.results.statistics.trial_predictions import ComparableTrials, gather
from skin_tune.results.store.ranking import best_first, metric_of, no_trial
from skin_tune.results.store.status import are_usable
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location

SCORES = tuple(val_metric(name, adjusted=False) for name in METRICS)
"""Metrics of the plain decision to compare trials by."""

ADJUSTED_SCORES = tuple(val_metric(name, adjusted=True) for name in METRICS)
"""The same of the adjusted decision."""

NOISE = 0.05
"""Trials whose `p_adjusted` is at least this are within noise."""


@dataclass(frozen=True)
class Comparison:
    """The trials of one region, all on one pack, best first."""

    region: str
    metric: str
    """One of `scores`: the order, and what `difference`, `chance_better` and `p_adjusted` are of."""
    ordinal: bool
    """Whether the classes have an order; where not, MAE, within-one and QWK are gaps."""
    trials: pd.DataFrame
    """A row per trial: ``region experiment trial_id status pack_id compared``, each of `scores` with ``<score>_low``
    and ``<score>_high``, ``difference difference_low difference_high`` (trial - reference), ``chance_better`` (than the
    reference), ``p_adjusted``. Those `compared` come first; what cannot be said is NaN."""
    reference: int | None
    """Row of `trials` that the others are held against: the best, or the baseline. None if none is compared."""
    against_baseline: bool
    expected: dict[str, float]
    """`scores` of the best trial as estimated on subjects that did not choose it, NaN for gaps; empty unless two are
    compared."""
    images: int
    subjects: int
    resamples: int
    notes: tuple[str, ...]
    """Notes on what is missing and why, a clause each."""
    split: str = "val"
    """The split of the predictions: `oof` (out of fold) for runs of a confirmation with folds."""
    groups: pd.DataFrame | None = None
    """With `by`, a row per attribute, compared trial and group: ``attribute experiment trial_id group subjects images
    too_small``, each of `scores` with its bounds. `group` is empty for images of which the source does not say,
    `too_small` says why nothing can be said of a group, and is empty where something can."""
    gaps: pd.DataFrame | None = None
    """With `by`, a row per attribute, compared trial and score: ``attribute experiment trial_id metric worst best gap
    gap_low gap_high p``, of the groups that are not too small; without those for which there are not two."""

    @property
    def scores(self) -> tuple[str, ...]:
        """All METRICS of the decision that `metric` is of."""
        return scores_beside(self.metric)

    @property
    def compared(self) -> pd.DataFrame:
        """The rows of `trials` with statistics."""
        return self.trials[self.trials["compared"]]

    @property
    def within_noise(self) -> pd.DataFrame:
        """The compared trials that chance alone may set apart from the reference, which is not among them."""
        rows = self.compared
        return rows[rows["p_adjusted"] >= NOISE]


def scores_beside(metric: str) -> tuple[str, ...]:
    """SCORES or ADJUSTED_SCORES: those of the decision that `metric` is of."""
    return ADJUSTED_SCORES if is_adjusted(metric) else SCORES


def compare(
    storage: str | Location,
    region: str,
    experiments: str | Sequence[str] = (),
    *,
    metric: str = "val_balanced_acc",
    baseline: str | None = None,
    by: str | Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare a region's trials, of `experiments` or of all, on their predictions of the validation split.

    Runs of confirmations with folds are compared on the people of all folds, where only such are named.
    Intervals are of 95% and over subjects, see `bootstrap.intervals`; `p_adjusted` takes into account how many trials
    were looked at, see `multiple_comparisons`. `baseline` is a trial id, or ``experiment/trial`` where several have it.
    All trials share the resamples, which the seed decides. `by` names attributes of people and photos, as in
    ``"gender,device"``: the results are given by group, too.

    Raises StoreError for what does not exist, for trials on different packs, for a metric that needs an order which
    their classes do not have, and for an attribute that the store knows of no image.

    >>> from skin_tune import compare
    >>> comparison = compare("runs", "lip_dryness", "first")
    >>> best = comparison.trials.iloc[0]
    >>> bool(best["val_balanced_acc_low"] <= best["val_balanced_acc"] <= best["val_balanced_acc_high"])
    True
    >>> len(comparison.within_noise) <= 1
    True
    """
    if metric not in scores_beside(metric):
        raise StoreError(f"--sort {metric!r} is not one of {', '.join((*SCORES, *ADJUSTED_SCORES))}")
    attributes = checked_attributes(by)
    names = [experiments] if isinstance(experiments, str) else experiments
    gathered = gather(storage, region, names, metric, out_of_fold=bool(names) and all(map(folds_of, names)))
    rows = _empty_rows(gathered, metric)
    against = None if baseline is None else _position(rows[: gathered.compared], baseline)
    expected: dict[str, float] = {}
    if tallies := gathered.tallies:
        draws = resample_counts(len(tallies.true), resamples, seed)
        found = figures_of(tallies, metrics_for(gathered.ordinal), metric, against, draws)
        rows.loc[: gathered.compared - 1, list(found.columns)] = pd.DataFrame(found.columns)
        against, expected = found.reference, found.expected
    order = _order(rows, metric)
    grouped = None
    if attributes and tallies:
        ranked = rows.loc[order[: gathered.compared]]
        grouped = compared_groups(storage, region, ranked, gathered, attributes, metric, resamples, seed)
    return Comparison(
        region=region,
        metric=metric,
        ordinal=gathered.ordinal,
        trials=rows.loc[order].reset_index(drop=True),
        reference=None if against is None else order.index(against),
        against_baseline=baseline is not None,
        expected=expected,
        images=int(tallies.true.sum()) if tallies else 0,
        subjects=len(tallies.true) if tallies else 0,
        resamples=resamples,
        notes=gathered.notes,
        split=gathered.split,
        groups=grouped.groups if grouped else None,
        gaps=grouped.gaps if grouped else None,
    )


def _empty_rows(gathered: ComparableTrials, metric: str) -> pd.DataFrame:
    """The trials with a column for each statistic, still NaN but for scores that the store has."""
    scores = scores_beside(metric)
    statistics = [*scores, *(f"{score}_{bound}" for score in scores for bound in BOUNDS), *AGAINST]
    rows = gathered.trials.reindex(columns=["region", "experiment", "trial_id", "status", "pack_id", *statistics])
    rows = rows.astype(dict.fromkeys(statistics, np.float64))
    rows.insert(5, "compared", rows.index < gathered.compared)
    return rows


def compare_regions(
    storage: str | Location,
    region: str | None = None,
    experiments: Sequence[str] = (),
    *,
    metric: str | None = None,
    baseline: str | None = None,
    by: str | Sequence[str] = (),
) -> tuple[list[Comparison], list[StoreError]]:
    """`compare` each region that has trials of `experiments` and the `baseline`; what keeps others from it is second.

    Without `metric` it is by that which a region's trials were chosen by, or its `decision_metric`.

    Raises StoreError where not one can be compared.
    """
    attributes = checked_attributes(by)
    trials = load_trials(storage, region)
    if trials.empty:
        raise no_trial(storage, region, None)
    for experiment in set(experiments) - set(trials["experiment"]):
        raise no_trial(storage, region, experiment)
    if baseline is not None and baseline.rpartition("/")[2] in set(trials["trial_id"]):
        with_baseline = trials.loc[trials["trial_id"] == baseline.rpartition("/")[2], "region"]
        trials = trials[trials["region"].isin(with_baseline)]
    comparisons, failed = [], []
    for name, of in trials.groupby("region", sort=False):
        here = [each for each in experiments if each in set(of["experiment"])]
        if experiments and not here:
            continue
        try:
            own = of[of["experiment"].isin(here)] if here else of
            chosen_by = metric_of(own)
            by_metric = metric or decision_metric(chosen_by)
            found = compare(storage, str(name), here, metric=by_metric, baseline=baseline, by=attributes)
            told = metric is not None or by_metric == chosen_by
            comparisons.append(found if told else _with_chosen(found, own, chosen_by))
        except StoreError as error:
            failed.append(error)
    if not comparisons:
        raise failed[0]
    return comparisons, failed


def _with_chosen(comparison: Comparison, trials: pd.DataFrame, chosen_by: str) -> Comparison:
    """The comparison with a note on the trial that `chosen_by` chooses, which need not be the best by decisions."""
    searched = trials[trials["experiment"].map(confirmed_by).isna()]
    if searched.empty:
        return comparison
    chosen = best_first(searched, chosen_by).iloc[0]["trial_id"]
    note = f"{chosen} is best by {chosen_by}, which its experiment asks for: confirm, combine and refit go by that"
    return replace(comparison, notes=(note, *comparison.notes))


def _position(compared: pd.DataFrame, baseline: str) -> int:
    """The row of a trial, given by its id or as experiment/trial."""
    whole = compared["experiment"] + "/" + compared["trial_id"]
    found = compared.index[(compared["trial_id"] == baseline) | (whole == baseline)]
    if len(found) == 1:
        return int(found[0])
    if len(found):
        raise StoreError(f"--baseline {baseline!r} is in several experiments; give one of {', '.join(whole[found])}")
    some = ", ".join(compared["trial_id"][:3]) or "none"
    raise StoreError(f"--baseline {baseline!r} is not a trial that can be compared, such as {some}")


def _order(rows: pd.DataFrame, metric: str) -> list[int]:
    """Best first; then those that are not compared; then those that failed or diverged, which never win."""
    less = formula_of(metric) in LESS_IS_BETTER
    keys = rows.assign(_gap=~rows["compared"], _unusable=~are_usable(rows))
    order = keys.sort_values(
        ["_gap", "_unusable", metric], ascending=[True, True, less], na_position="last", kind="stable"
    )
    return list(order.index)
