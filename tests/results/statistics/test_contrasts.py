"""Means over seeds and their differences."""

import itertools

import numpy as np
import pytest
from scipy import stats

from skin_tune.results.statistics.bootstrap import resample_counts
from skin_tune.results.statistics.contrasts import SeededRuns, contrasts
from skin_tune.results.statistics.factorial import effect_weights

ONE = np.ones((1, 1))


def runs_of(values: np.ndarray, resamples: int = 500) -> SeededRuns:
    """Runs [C, N] whose score is the mean over subjects of `values` [S, C, N]."""
    subjects = len(values)
    draws = resample_counts(subjects, resamples)
    resampled = np.einsum("rs,scn->rcn", draws, values) / subjects
    jackknife = (values.sum(axis=0) - values) / (subjects - 1)
    return SeededRuns(values.mean(axis=0), resampled, jackknife)


def test_where_only_the_seed_matters_the_interval_is_students():
    scores = np.array([0.50, 0.55, 0.47, 0.61, 0.52])
    (found,) = contrasts(runs_of(np.broadcast_to(scores, (40, 1, 5)).copy()), ONE).itertuples()
    low, high = stats.t.interval(0.95, 4, loc=scores.mean(), scale=stats.sem(scores))
    assert (found.value, found.low, found.high) == pytest.approx((scores.mean(), low, high))


def test_where_only_the_subject_matters_more_seeds_do_not_narrow_it():
    of_subject = np.random.default_rng(0).normal(0.5, 0.1, (200, 1, 1))
    one, five = (contrasts(runs_of(np.repeat(of_subject, seeds, axis=2)), ONE).iloc[0] for seeds in (1, 5))
    assert five["low"] == pytest.approx(one["low"])
    low, high = stats.t.interval(0.95, 199, loc=of_subject.mean(), scale=stats.sem(of_subject[:, 0, 0]))
    assert one["low"] == pytest.approx(low, abs=0.002)
    assert one["high"] == pytest.approx(high, abs=0.002)


def test_what_two_configs_share_does_not_blur_their_difference():
    rng = np.random.default_rng(1)
    shared = rng.normal(0.5, 0.2, (60, 1, 4)) + rng.normal(0, 0.1, (1, 1, 4))
    values = shared + np.array([0.0, 0.03])[None, :, None] + rng.normal(0, 0.001, (60, 2, 4))
    found = contrasts(runs_of(values), np.array([[-1.0, 1.0]])).iloc[0]
    assert found["value"] == pytest.approx(0.03, abs=0.001)
    assert found["high"] - found["low"] < 0.003


def test_intervals_over_subjects_and_seeds_cover_the_truth():
    rng, covered, times = np.random.default_rng(2), 0, 400
    for _ in range(times):
        values = rng.normal(0, 1, (50, 1, 1)) + rng.normal(0, 0.2, (1, 1, 5)) + rng.normal(0, 1, (50, 1, 5))
        found = contrasts(runs_of(values, 300), ONE).iloc[0]
        covered += bool(found["low"] <= 0 <= found["high"])
    assert 0.93 <= covered / times <= 0.98


def test_effects_are_those_of_a_factorial():
    cells = list(itertools.product(("ce", "focal", "cb"), ("none", "balanced"), ("off", "on")))
    of_loss, of_oversampling = {"ce": 0, "focal": 1, "cb": 4}, {"none": 0, "balanced": 10}
    together = {("cb", "balanced"): -3.0}
    scores = np.array(
        [of_loss[a] + of_oversampling[b] + 100 * (c == "on") + together.get((a, b), 0) for a, b, c in cells]
    )
    effects = {words: float(weights @ scores) for words, weights in effect_weights(cells).items()}
    assert effects == pytest.approx(
        {
            "focal loss - ce": 1,
            "cb loss - ce": 4 - 1.5,
            "oversampling balanced - none": 10 - 1,
            "augmentation on - off": 100,
            "focal loss - ce, oversampling none": 1,
            "focal loss - ce, oversampling balanced": 1,
            "synergy of focal loss and oversampling": 0,
            "cb loss - ce, oversampling none": 4,
            "cb loss - ce, oversampling balanced": 1,
            "synergy of cb loss and oversampling": -3,
        }
    )
