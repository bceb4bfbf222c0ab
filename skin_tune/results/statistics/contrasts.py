"""Configs that were run with several seeds: means over seeds, and differences of means, with their uncertainty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from skin_tune.errors import StoreError
from skin_tune.metrics import Tallies, formula_of, scores_of
from skin_tune.results.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Floats,
    bootstrap_sums,
    degrees_of_freedom,
    in_parts,
    resample_counts,
)
from skin_tune.results.statistics.multiple_comparisons import bias_corrected_winner
from skin_tune.results.statistics.trial_predictions import gather
from skin_tune.storage.files import Location


@dataclass(frozen=True)
class SeededRuns:
    """One metric of C configs run with the same N seeds each, R resamples of S subjects."""

    point: Floats
    """[C, N]"""
    resampled: Floats
    """[R, C, N]"""
    jackknife: Floats
    """Without one subject after the other [S, C, N]."""
    best_elsewhere: float = math.nan
    """Mean over seeds of the best config as estimated on subjects that did not choose it; NaN where C is 1."""


def seeded_runs(
    storage: str | Location,
    region: str,
    experiment: str,
    runs: Sequence[Sequence[str]],
    metric: str,
    *,
    out_of_fold: bool = False,
) -> SeededRuns:
    """Scores of `runs`, the trial ids [C][N] of an experiment; see `gather` for `out_of_fold`.

    Raises StoreError where one has no predictions.
    """
    gathered = gather(storage, region, [experiment], metric, out_of_fold=out_of_fold)
    place = {trial_id: row for row, trial_id in enumerate(gathered.trials["trial_id"][: gathered.compared])}
    wanted = [trial_id for of_config in runs for trial_id in of_config]
    if missing := [trial_id for trial_id in wanted if trial_id not in place]:
        raise StoreError(f"run {missing[0]} of {experiment!r} has not finished, or failed: nothing to compare it by")
    assert gathered.tallies is not None
    own = _chosen(gathered.tallies, [place[trial_id] for trial_id in wanted])
    subjects = len(own.true)
    draws = resample_counts(subjects, RESAMPLES)
    name = formula_of(metric)
    shape = (len(runs), len(runs[0]))
    parts = [[scores_of(sums)[name] for sums in bootstrap_sums(some, draws)] for _, some in in_parts(own)]
    point, resampled, jackknife = (np.concatenate(kind, axis=1) for kind in zip(*parts, strict=True))
    resampled = resampled.reshape(-1, *shape)
    return SeededRuns(
        point[0].reshape(shape),
        resampled,
        jackknife.reshape(-1, *shape),
        _best_elsewhere(own, resampled, draws, name) if len(runs) > 1 and subjects > 1 else math.nan,
    )


def _best_elsewhere(tallies: Tallies, resampled: Floats, draws: Floats, name: str) -> float:
    """A metric's mean over seeds, of the config whose mean is best: see `bias_corrected_winner`."""
    seeds = resampled.shape[2]
    by_seed = (_chosen(tallies, list(range(seed, tallies.hits.shape[1], seeds))) for seed in range(seeds))
    means = resampled.mean(axis=2)
    return float(np.mean([scores_of(bias_corrected_winner(of_seed, means, draws))[name] for of_seed in by_seed]))


def contrasts(runs: SeededRuns, weights: Floats) -> pd.DataFrame:
    """``value low high`` of the sums over configs, `weights` [M, C] times the mean over seeds of each: M rows.

    A figure varies with the people who were photographed and with the seed. The variance of the mean over seeds is that
    over resamples of subjects plus that over seeds divided by N; the interval is Student's, with the degrees of freedom
    of Welch and Satterthwaite (1946, doi:10.2307/3002019). With one seed, what seeds would change is not known, and the
    interval is over subjects alone.
    """
    seeds = runs.point.shape[1]
    value = weights @ runs.point.mean(axis=1)
    by_subject = np.nanvar(runs.resampled.mean(axis=2) @ weights.T, axis=0, ddof=1)
    df_subject = degrees_of_freedom(runs.jackknife.mean(axis=2) @ weights.T)
    by_seed = (weights @ runs.point).var(axis=1, ddof=1) / seeds if seeds > 1 else np.zeros(len(weights))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = (by_subject + by_seed) ** 2 / (by_subject**2 / df_subject + by_seed**2 / max(seeds - 1, 1))
        reach = stats.t.ppf(0.5 + LEVEL / 2, df) * np.sqrt(by_subject + by_seed)
    return pd.DataFrame({"value": value, "low": value - reach, "high": value + reach})


def _chosen(tallies: Tallies, trials: list[int]) -> Tallies:
    return Tallies(
        tallies.true, tallies.predicted[:, trials], tallies.hits[:, trials], tallies.distance_sums[:, trials]
    )
