import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from benchmarks.compare import coverage, draw_photos
from skin_tune.metrics import Tallies, scores_of
from skin_tune.results.statistics.bootstrap import (
    Floats,
    in_parts,
    intervals,
    leave_one_out_sums,
    resample_counts,
    resampled_sums,
    tally_subjects,
)
from skin_tune.results.statistics.multiple_comparisons import (
    bias_corrected_winner,
    chance_better,
    max_t_p_values,
    mcb_p_values,
)


def trials_of(count: int, subjects: int, seed: int = 0, skill: float = 0.9) -> tuple[np.ndarray, ...]:
    """Subject and label [N], and the predictions [T, N] of equally good trials."""
    rng = np.random.default_rng(seed)
    subject, label, _ = draw_photos(rng, subjects)
    errors = rng.normal(0, skill, (count, len(label)))
    return subject, label, np.clip(np.rint(label + errors), 0, 6).astype(np.int64)


def tallied(subject: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Tallies:
    each = [tally_subjects(subject, label, one, subject.max() + 1, 7) for one in predicted]
    return Tallies(each[0].true[:, None], *(np.stack([getattr(one, name) for one in each], 1) for name in SUMS))


SUMS = ("predicted", "hits", "distance_sums")


def plain(label: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {
        "acc": reference.accuracy_score(label, predicted),
        "balanced_acc": reference.recall_score(label, predicted, labels=sorted(set(label)), average="macro"),
        "macro_f1": reference.f1_score(label, predicted, average="macro"),
        "mae": reference.mean_absolute_error(label, predicted),
        "within_one": float(np.mean(np.abs(label - predicted) <= 1)),
        "qwk": reference.cohen_kappa_score(label, predicted, weights="quadratic", labels=range(7)),
    }


def test_resampled_metrics_equal_those_of_the_images_of_the_people_drawn():
    subject, label, predicted = trials_of(3, 25)
    draws = resample_counts(25, 30, seed=3)
    fast = scores_of(resampled_sums(tallied(subject, label, predicted), draws))
    for resample, counts in enumerate(draws.astype(int)):
        drawn = np.repeat(np.arange(25), counts)
        images = np.concatenate([np.flatnonzero(subject == person) for person in drawn])
        for trial in range(3):
            for name, value in plain(label[images], predicted[trial, images]).items():
                assert fast[name][resample, trial] == pytest.approx(value, abs=2e-6), name


def test_left_out_metrics_equal_those_of_the_other_peoples_images():
    subject, label, predicted = trials_of(2, 12)
    fast = scores_of(leave_one_out_sums(tallied(subject, label, predicted)))
    for person in range(12):
        rest = subject != person
        for name, value in plain(label[rest], predicted[1, rest]).items():
            assert fast[name][person, 1] == pytest.approx(value, abs=2e-6), name


def test_parts_are_all_trials_once():
    tallies = tallied(*trials_of(37, 5))
    parts = list(in_parts(tallies))
    assert np.concatenate([some.hits for _, some in parts], axis=1).tolist() == tallies.hits.tolist()
    assert [tallies.hits[:, part].shape for part, _ in parts] == [some.hits.shape for _, some in parts]


def test_every_resample_draws_as_many_people_as_there_are_and_the_seed_decides_whom():
    draws = resample_counts(50, 2500, seed=1)
    assert (draws.sum(axis=1) == 50).all()
    assert draws.mean() == 1
    assert draws.var() == pytest.approx(1 - 1 / 50, rel=0.02)  # binomial
    assert np.array_equal(draws, resample_counts(50, 2500, seed=1))
    assert not np.array_equal(draws, resample_counts(50, 2500, seed=2))


def mean_intervals(values: Floats, resamples: int = 20_000) -> tuple[Floats, Floats]:
    draws = resample_counts(len(values), resamples)
    jackknife = (values.sum(axis=0) - values) / (len(values) - 1)
    return intervals(values.mean(axis=0), draws @ values / len(values), jackknife)


def test_the_interval_of_a_mean_is_students():
    # Of values of kurtosis 1 the variance is known best, and the degrees of freedom are S - 1.
    values = np.repeat([-1.0, 1.0], 12)[:, None]
    low, high = mean_intervals(values + np.linspace(-1e-3, 1e-3, 24)[:, None])
    exact = stats.ttest_1samp(values[:, 0], 0).confidence_interval()
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=0.06)


def test_where_few_people_carry_the_variance_the_interval_is_that_of_few():
    few = np.zeros((200, 1))
    few[:4, 0] = 1.0, -1.0, 1.0, -1.0
    low, high = mean_intervals(few)
    assert high[0] - low[0] > 1.2 * 2 * 1.96 * few.std() / np.sqrt(200)


def test_intervals_cover_the_truth_in_95_of_100_samples_of_clustered_subjects():
    for name, share in coverage(120, samples=800, seed=5).items():
        assert 0.93 <= share <= 0.97, name


@pytest.mark.parametrize("values", [np.ones((3, 2)), np.array([[0.1, 0.9]])], ids=["all alike", "one subject"])
def test_where_resamples_cannot_differ_there_is_no_interval(values: Floats):
    low, high = intervals(values.mean(axis=0), np.ones((9, 1)) * values[0], values)
    assert np.isnan([low, high]).all()


def test_resamples_in_which_a_figure_is_not_defined_do_not_count():
    values = np.random.default_rng(0).normal(size=(40, 1))
    resampled, jackknife = resample_counts(40, 4000) @ values / 40, (values.sum() - values) / 39
    whole = np.concatenate(intervals(values.mean(axis=0), resampled, jackknife))
    holed = np.concatenate([resampled, np.full((1000, 1), np.nan)])
    assert np.concatenate(intervals(values.mean(axis=0), holed, jackknife)) == pytest.approx(whole, abs=1e-9)


def test_a_tie_counts_one_half_and_undefined_resamples_not_at_all():
    resampled = np.array([[0.5, 0.5, 0.6], [0.5, 0.5, 0.4], [0.5, 0.5, 0.6], [0.5, 0.5, np.nan]])
    assert chance_better(resampled, 0).tolist() == pytest.approx([0.5, 0.5, 2 / 3])


def test_p_values_equal_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    resampled = rng.normal(0, 0.03, (400, 5)) + np.linspace(0.5, 0.4, 5)
    point = np.array([0.5, 0.49, 0.45, 0.43, 0.4])
    luck = resampled - point
    behind, unlike = mcb_p_values(point, resampled), max_t_p_values(point, resampled, 1)
    for trial in range(5):
        leads = sum(max(row) - row[trial] >= point.max() - point[trial] for row in luck)
        assert behind[trial] == pytest.approx((leads + 1) / 401)
    spread = [np.std(luck[:, trial] - luck[:, 1]) for trial in range(5)]
    others = [0, 2, 3, 4]
    for trial in others:
        size = abs(point[trial] - point[1]) / spread[trial]
        far = sum(max(abs(row[o] - row[1]) / spread[o] for o in others) >= size for row in luck)
        assert unlike[trial] == pytest.approx((far + 1) / 401)
    assert np.isnan(unlike[1])


def test_of_equally_good_trials_the_winner_is_flattered_and_its_estimate_is_not():
    flattered, estimated, excluded, baseline = [], [], [], []
    truth = trials_of(1, 20_000, seed=99)
    real = float(np.mean(truth[2][0] == truth[1]))
    draws = resample_counts(60, 300)
    for seed in range(100):
        tallies = tallied(*trials_of(12, 60, seed))
        point = scores_of(resampled_sums(tallies, np.ones((1, 60))))["acc"][0]
        resampled = scores_of(resampled_sums(tallies, draws))["acc"]
        flattered.append(point.max())
        estimated.append(float(scores_of(bias_corrected_winner(tallies, resampled, draws))["acc"]))
        excluded.append(mcb_p_values(point, resampled)[0] < 0.05)
        baseline.append(np.nanmin(max_t_p_values(point, resampled, 0)) < 0.05)
    assert np.mean(flattered) - real > 0.03
    assert abs(np.mean(estimated) - real) < 0.01
    assert np.mean(excluded) <= 0.1  # 5 in 100 at most, and three standard errors
    assert np.mean(baseline) <= 0.115
