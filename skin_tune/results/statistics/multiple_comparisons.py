"""Whether a lead exceeds chance: trials against each other, on the same resamples of subjects.

Figures are oriented so that more is better: `point` [T] of the trials, `resampled` [R, T] of the same resamples.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from skin_tune.metrics import Tallies
from skin_tune.results.statistics.bootstrap import LEVEL, TIE, Floats, reach_of


def chance_better(resampled: Floats, baseline: int) -> Floats:
    """Share of the resamples [T] in which each trial beats the baseline; a tie counts one half."""
    lead = resampled - resampled[:, [baseline]]
    wins = ((lead > TIE).sum(axis=0) + (lead > -TIE).sum(axis=0)) / 2
    with np.errstate(invalid="ignore"):
        return wins / (~np.isnan(lead)).sum(axis=0)


def mcb_p_values(point: Floats, resampled: Floats) -> Floats:
    """p-value of each trial [T]: if it were as good as any, how often chance puts the best of T this far ahead.

    The trials for which this is at least 0.05 hold the truly best one in 95 of 100 cases, however many were tried:
    comparisons with the best (Hsu 1981, doi:10.1214/aos/1176345582) by the bootstrap of White's reality check
    (2000, doi:10.1111/1468-0262.00152), whose benchmark each trial is in turn.
    """
    luck = _luck(point, resampled)
    lead = luck.max(axis=1, keepdims=True) - luck
    return _share(lead >= np.nanmax(point) - point - TIE, point)


def max_t_p_values(point: Floats, resampled: Floats, baseline: int) -> Floats:
    """Max-T adjusted p-value of each trial [T]: if no trial differed from the baseline, how often the largest
    standardised difference would reach this one's.

    The single-step max-T adjustment (Westfall & Young 1993, Resampling-Based Multiple Testing, 2.3), with differences
    in units of their standard deviation over resamples. NaN for the baseline itself.
    """
    luck = _luck(point, resampled)
    luck -= luck[:, [baseline]]
    spread = luck.std(axis=0)
    difference = np.abs(point - point[baseline])
    with np.errstate(divide="ignore", invalid="ignore"):
        farthest = np.nan_to_num(np.abs(luck) / spread).max(axis=1, keepdims=True)
        p = _share(farthest >= np.where(difference > TIE, difference / spread, 0), point)
    p[baseline] = np.nan
    return p


class Range(NamedTuple):
    """From the lowest of several figures to the highest."""

    size: float
    low: float
    high: float
    """Bounds of `size`, NaN where nothing can be said."""
    p: float


def range_of(point: Floats, resampled: Floats, jackknife: Floats, lowest: int, highest: int) -> Range:
    """The range of the figures of G groups with a 95% interval, and how often alike groups would have so large a one.

    `point` [G], `resampled` [R, G] and `jackknife` [S, G] are of the groups. Its two ends were picked because they lie
    far apart, which alone makes them do so (Lum et al. 2022, doi:10.1145/3531146.3533105): the interval holds for the
    differences of all pairs at once, and p is the single-step max-T one of `max_t_p_values` over all pairs. Luck is as
    much larger for few subjects as in `intervals`.
    """
    luck = _luck(point, resampled)
    one, other = np.triu_indices(len(point), 1)
    apart = luck[:, one] - luck[:, other]
    size = float(point[highest] - point[lowest])
    spread = float((luck[:, highest] - luck[:, lowest]).std())
    if len(jackknife) < 2 or spread < TIE:
        return Range(size, math.nan, math.nan, 1.0 if size < TIE else math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        wider = reach_of(jackknife[:, one] - jackknife[:, other]) / ndtri(0.5 + LEVEL / 2)
        farthest = np.nan_to_num(np.abs(apart) * wider / apart.std(axis=0)).max(axis=1)
    reach = float(np.quantile(farthest, LEVEL)) * spread
    return Range(size, size - reach, size + reach, float(_share(farthest >= size / spread, point[highest])))


def bias_corrected_winner(tallies: Tallies, resampled: Floats, draws: Floats) -> Tallies:
    """Tallies [..., without trials] that estimate the winner's figures on people who did not choose it.

    The best trial of each resample is scored on the subjects that were not drawn (bootstrap bias-corrected
    cross-validation, Tsamardinos et al. 2018, doi:10.1007/s10994-018-5714-4). Their images are pooled over resamples,
    not averaged resample by resample: those without anyone of a rare grade would leave that grade out.
    """
    winners = np.where(np.isnan(resampled), -np.inf, resampled).argmax(axis=1)
    chosen = np.unique(winners)
    out = np.stack([(draws[winners == trial] == 0).sum(axis=0) for trial in chosen], axis=1).astype(
        np.float64
    )  # [S, W]
    return Tallies(
        true=np.einsum("sw,sk->k", out, tallies.true[:, 0]),
        predicted=np.einsum("sw,swk->k", out, tallies.predicted[:, chosen]),
        hits=np.einsum("sw,swk->k", out, tallies.hits[:, chosen]),
        distance_sums=np.einsum("sw,swk->k", out, tallies.distance_sums[:, chosen]),
    )


def _luck(point: Floats, resampled: Floats) -> Floats:
    """Deviations of the resamples from the figures [R, T]; 0 where one is undefined."""
    return np.nan_to_num(resampled - point)


def _share(extreme: Floats, point: Floats) -> Floats:
    """p-values that count the sample as one more resample (Davison & Hinkley 1997, 4.2.5)."""
    p = (extreme.sum(axis=0) + 1) / (len(extreme) + 1)
    return np.where(np.isnan(point), np.nan, p)
