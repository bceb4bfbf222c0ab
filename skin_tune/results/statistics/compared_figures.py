"""The figures that trials are compared by: scores with intervals, and differences to one of the trials."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skin_tune.metrics import LESS_IS_BETTER, METRICS, Tallies, formula_of, is_adjusted, scores_of, val_metric
from skin_tune.results.statistics.bootstrap import Floats, bootstrap_sums, in_parts, intervals
from skin_tune.results.statistics.multiple_comparisons import (
    bias_corrected_winner,
    chance_better,
    max_t_p_values,
    mcb_p_values,
)

BOUNDS = ("low", "high")
AGAINST = ("difference", "difference_low", "difference_high", "chance_better", "p_adjusted")
"""Figures of a trial that are of it and the reference."""


@dataclass(frozen=True)
class Figures:
    """Statistics of T trials."""

    columns: dict[str, Floats]
    """[T] of each of METRICS as the validation split's, of its BOUNDS, and of AGAINST; NaN where it cannot be said."""
    reference: int
    """The trial that the others are held against."""
    expected: dict[str, float]
    """The best trial's METRICS as estimated on subjects that did not choose it; empty unless two are compared."""


@dataclass(frozen=True)
class _Sampled:
    """One metric of T trials, more of it better."""

    point: Floats
    """[T]"""
    resampled: Floats
    """[R, T]"""
    jackknife: Floats
    """Without one subject after the other [S, T]."""


def figures_of(tallies: Tallies, metrics: Sequence[str], metric: str, baseline: int | None, draws: Floats) -> Figures:
    """The figures of trials with tallies [S, T, ...], for `draws` [R, S] of the subjects.

    Of METRICS those not among `metrics` are NaN. The reference is the `baseline`, or else the best by `metric`.
    """
    name, adjusted = formula_of(metric), is_adjusted(metric)
    sign = -1 if name in LESS_IS_BETTER else 1
    columns, sampled = _scores(tallies, metrics, metric, draws)
    best = int(np.where(np.isnan(sampled.point), -np.inf, sampled.point).argmax())
    reference = best if baseline is None else baseline
    columns |= _against(sampled, reference, sign, is_best=baseline is None)
    expected = {}
    if min(tallies.hits.shape[:2]) > 1:
        winner = scores_of(bias_corrected_winner(tallies, sampled.resampled, draws))
        expected = {
            val_metric(each, adjusted): float(winner[each]) if each in metrics else math.nan for each in METRICS
        }
    return Figures(columns, reference, expected)


def _scores(tallies: Tallies, metrics: Sequence[str], metric: str, draws: Floats) -> tuple[dict[str, Floats], _Sampled]:
    """Each score with its bounds, and what `metric` is in all resamples."""
    subjects, trials = tallies.hits.shape[:2]
    name, adjusted = formula_of(metric), is_adjusted(metric)
    sign = -1 if name in LESS_IS_BETTER else 1
    scores = [val_metric(each, adjusted) for each in METRICS]
    names = [*scores, *(f"{score}_{bound}" for score in scores for bound in BOUNDS)]
    columns: dict[str, Floats] = {column: np.full(trials, np.nan) for column in names}
    resampled = np.empty((len(draws), trials), np.float32)
    jackknife = np.empty((subjects, trials), np.float32)
    for part, some in in_parts(tallies):
        exact, drawn, fewer = (scores_of(sums) for sums in bootstrap_sums(some, draws))
        for each in metrics:
            score = val_metric(each, adjusted)
            columns[score][part] = exact[each][0]
            columns[f"{score}_low"][part], columns[f"{score}_high"][part] = intervals(
                exact[each][0], drawn[each], fewer[each]
            )
        resampled[:, part], jackknife[:, part] = sign * drawn[name], sign * fewer[name]
    return columns, _Sampled(sign * columns[metric], resampled, jackknife)


def _against(sampled: _Sampled, reference: int, sign: int, *, is_best: bool) -> dict[str, Floats]:
    """AGAINST the reference, NaN for itself but for its difference of 0; `sign` turns leads into differences."""
    point, resampled = sampled.point, sampled.resampled
    found = {name: np.full(len(point), np.nan) for name in AGAINST}
    found["difference"] = sign * (point - point[reference])
    if len(sampled.jackknife) > 1:
        lead, drawn, without = (each - each[..., [reference]] for each in (point, resampled, sampled.jackknife))
        bounds = [sign * bound for bound in intervals(lead, drawn, without)]
        found["difference_low"], found["difference_high"] = bounds[::sign]
        found["chance_better"] = chance_better(resampled, reference)
        found["p_adjusted"] = mcb_p_values(point, resampled) if is_best else max_t_p_values(point, resampled, reference)
    for name in AGAINST[1:]:
        found[name][reference] = np.nan
    return found
