"""The bootstrap over subjects: what a trial's metrics might have been with other people.

Images of one person go together, so people are drawn, with replacement, and each brings all their images. Metrics are
made of sums over images, so a resample is a row of counts times the tallies of each subject, and ten thousand resamples
of many trials are one matrix product. All trials share the resamples: their differences are paired.

Everywhere S is the number of subjects, T of trials, R of resamples, K of classes.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import special

from skin_tune.metrics import Numbers, Tallies, tallies_of

Floats = npt.NDArray[np.floating]

RESAMPLES = 10_000
LEVEL = 0.95

TIE = 1e-6
"""Figures closer than this are alike: float32 has no more digits."""

_TRIALS_AT_A_TIME = 16
_DRAWS_AT_A_TIME = 1000


def resample_counts(subjects: int, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """How often each subject is in each resample: float32 [R, S], whose rows sum to S."""
    rng = np.random.default_rng(seed)
    blocks = []
    for start in range(0, resamples, _DRAWS_AT_A_TIME):
        rows = min(_DRAWS_AT_A_TIME, resamples - start)
        drawn = rng.integers(0, subjects, (rows, subjects)) + subjects * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * subjects)
        blocks.append(counts.reshape(rows, subjects).astype(np.float32))
    return np.concatenate(blocks)


def tally_subjects(subject: Numbers, label: Numbers, predicted: Numbers, subjects: int, classes: int) -> Tallies:
    """Tallies [S, ...] of one trial, float32, from a row per image: subject, true and predicted class [N]."""
    cells = (subject.astype(np.int64) * classes + label) * classes + predicted
    counts = np.bincount(cells, minlength=subjects * classes**2).reshape(subjects, classes, classes)
    return tallies_of(counts.astype(np.float32))


def in_parts(tallies: Tallies) -> Iterator[tuple[slice, Tallies]]:
    """A few trials at a time, so that what is computed of them stays small."""
    for start in range(0, tallies.hits.shape[1], _TRIALS_AT_A_TIME):
        part = slice(start, start + _TRIALS_AT_A_TIME)
        yield (
            part,
            Tallies(tallies.true, tallies.predicted[:, part], tallies.hits[:, part], tallies.distance_sums[:, part]),
        )


def resampled_sums(tallies: Tallies, weights: Floats) -> Tallies:
    """Sums [R, T, ...] over the subjects of tallies [S, T, ...], each as often as `weights` [R, S] say.

    Whole numbers below 2**24 stay exact in float32, in whatever order they are added.
    """
    return Tallies(
        true=_product(weights, tallies.true),
        predicted=_product(weights, tallies.predicted),
        hits=_product(weights, tallies.hits),
        distance_sums=_product(weights, tallies.distance_sums),
    )


def leave_one_out_sums(tallies: Tallies) -> Tallies:
    """Sums [S, T, ...] without one subject after the other."""
    return Tallies(
        true=tallies.true.sum(axis=0) - tallies.true,
        predicted=tallies.predicted.sum(axis=0) - tallies.predicted,
        hits=tallies.hits.sum(axis=0) - tallies.hits,
        distance_sums=tallies.distance_sums.sum(axis=0) - tallies.distance_sums,
    )


def bootstrap_sums(tallies: Tallies, draws: Floats) -> tuple[Tallies, Tallies, Tallies]:
    """Sums of tallies [S, T, ...]: of all subjects [1, ...], of resamples [R, ...], of the jackknife [S, ...]."""
    everyone = np.ones((1, len(tallies.true)))
    return resampled_sums(tallies, everyone), resampled_sums(tallies, draws), leave_one_out_sums(tallies)


def _product(weights: Floats, sums: Numbers) -> Numbers:
    return (weights @ sums.reshape(len(sums), -1)).reshape(len(weights), *sums.shape[1:])


def intervals(point: Floats, resampled: Floats, jackknife: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Lower and upper bounds [T] of `point` [T], from the figure in each resample [R, T] and the jackknife [S, T].

    Bias-corrected percentiles (Efron 1987, doi:10.2307/2289144), moved outwards for few subjects as Hesterberg (2015,
    doi:10.1080/00031305.2015.1089789) does: quantiles of Student's t in place of the normal's, times the root of
    (df + 1) / df. His df is S - 1, which is far too many for balanced accuracy and macro F1, where the few subjects of
    the rarest grade carry most of the variance. Here it is Satterthwaite's: that of a variance estimated from S
    values with the kurtosis of the jackknife's, 2 S / (kurtosis - (S - 3) / (S - 1)), between 1 and S - 1.

    A resample without a class counts as the metric counts images without it; one in which a figure is not defined
    is left out of that figure. With clustered subjects and seven grades, simulated 95% intervals cover 93-97% for 40 to
    400 subjects where the rarest grade has three or more; with fewer, those of macro F1 cover about 90%.

    NaN where a figure is not defined, with fewer than two subjects, and where all resamples are alike, which says
    nothing of what other people would give.
    """
    subjects, trials = jackknife.shape
    if subjects < 2:
        return np.full(trials, np.nan), np.full(trials, np.nan)
    ordered = np.sort(np.ascontiguousarray(resampled.T))  # [T, R], NaN last
    defined = ordered.shape[1] - np.count_nonzero(np.isnan(ordered), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        less, as_much = (np.count_nonzero(ordered.T - point < side, axis=0) for side in (-TIE, TIE))
        below = (less + as_much) / (2 * defined)
        bias = special.ndtri(np.clip(below, 0.5 / len(resampled), 1 - 0.5 / len(resampled)))
        reach = reach_of(jackknife, level)
        low, high = (_quantile(ordered, defined, special.ndtr(2 * bias + side)) for side in (-reach, reach))
        unknown = ~(high - low > TIE) | np.isnan(point)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def reach_of(jackknife: Floats, level: float = LEVEL) -> Floats:
    """Standard deviations that an interval reaches to either side [T], from the jackknife [S, T], see `intervals`."""
    df = degrees_of_freedom(jackknife)
    reach: Floats = special.stdtrit(df, 0.5 + level / 2) * np.sqrt((df + 1) / df)
    return reach


def degrees_of_freedom(jackknife: Floats) -> Floats:
    """Degrees of freedom of the jackknife's variance [T], see `intervals`."""
    subjects = len(jackknife)
    defined = ~np.isnan(jackknife)
    mean = np.where(defined, jackknife, 0).sum(axis=0) / defined.sum(axis=0)
    squares = np.where(defined, jackknife - mean, 0).astype(np.float64) ** 2
    with np.errstate(invalid="ignore"):
        kurtosis = subjects * (squares**2).sum(axis=0) / squares.sum(axis=0) ** 2
    df = 2 * subjects / (kurtosis - (subjects - 3) / (subjects - 1))
    return np.clip(np.nan_to_num(df, nan=subjects - 1), 1, subjects - 1)


def _quantile(ordered: Floats, defined: Numbers, share: Floats) -> Floats:
    """Linear between the values of each row [T, R], of which the first `defined` count."""
    place = np.nan_to_num(share) * np.maximum(defined - 1, 0)
    under = np.floor(place).astype(np.int64)
    over = np.minimum(under + 1, np.maximum(defined - 1, 0))
    rows = np.arange(len(ordered))
    first, second = ordered[rows, under], ordered[rows, over]
    return first + (place - under) * (second - first)
