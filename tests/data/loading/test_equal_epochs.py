"""Epochs of one length: oversampling decides which images are drawn, not how many."""

from collections import Counter
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_tune.data.loading.equal_epochs import equal_draws, equal_epoch_plan
from skin_tune.data.loading.oversampling import RANDOMS_PER_DRAW

FOREHEAD = np.array([572, 5083, 3393, 2340, 1092, 819, 637])

class_counts = st.lists(st.integers(0, 40), min_size=2, max_size=7).filter(any)
modes = st.sampled_from(["none", "sqrt", "balanced"])


def labels_of(counts: list[int] | np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))


# Draws per class


@given(class_counts, modes, st.integers(0, 300))
def test_draws_sum_to_the_length_and_show_every_class_that_has_images(counts: list[int], mode: str, more: int):
    images = int(np.count_nonzero(counts)) + more
    draws = equal_draws(np.array(counts), mode, images)
    assert draws.sum() == images
    assert ((draws > 0) == (np.array(counts) > 0)).all()


def test_without_oversampling_an_epoch_as_long_as_the_data_has_the_counts_of_the_data():
    assert equal_draws(FOREHEAD, "none", int(FOREHEAD.sum())).tolist() == FOREHEAD.tolist()


def test_balanced_shares_are_even_and_what_is_left_over_goes_to_the_first():
    assert equal_draws(np.array([24, 12, 6]), "balanced", 42).tolist() == [14, 14, 14]
    assert equal_draws(np.array([24, 12, 0, 6]), "balanced", 11).tolist() == [4, 4, 0, 3]


def test_sqrt_shares_go_by_the_square_roots_of_the_counts():
    assert equal_draws(np.array([1, 4, 25, 100]), "sqrt", 36).tolist() == [2, 4, 10, 20]


def test_fractions_are_rounded_by_largest_remainder():
    # Quotas of 100 among 1000, 1100, 1200: 30.30, 33.33, 36.36.
    assert equal_draws(np.array([1000, 1100, 1200]), "none", 100).tolist() == [30, 33, 37]


def test_classes_too_rare_for_a_draw_get_one_from_the_others():
    assert equal_draws(np.array([1000, 1, 1, 1]), "none", 100).tolist() == [97, 1, 1, 1]
    with pytest.raises(ValueError, match="2 draws cannot show 3 classes"):
        equal_draws(np.array([5, 5, 5]), "none", 2)


# Plans


@settings(max_examples=60)
@given(class_counts, modes, st.integers(0, 120), st.integers(0, 2**32 - 1), st.integers(1, 1000))
def test_an_epoch_has_its_draws_and_added_are_those_of_images_it_has_drawn_before(
    counts: list[int], mode: str, more: int, seed: int, epoch: int
):
    labels = labels_of(counts)
    draws = equal_draws(np.array(counts), mode, int(np.count_nonzero(counts)) + more)
    plan = equal_epoch_plan(labels, draws, seed=seed, epoch=epoch)
    assert np.bincount(labels[plan.positions], minlength=len(counts)).tolist() == draws.tolist()
    seen: set[int] = set()
    for position, added in zip(plan.positions.tolist(), plan.added.tolist(), strict=True):
        assert added == (position in seen)
        seen.add(position)
    assert plan.randoms.shape == (len(plan), RANDOMS_PER_DRAW)


def test_an_epoch_as_long_as_the_data_shows_every_image_once():
    labels = labels_of([24, 12, 6])
    for epoch in (1, 2, 7):
        plan = equal_epoch_plan(labels, np.array([24, 12, 6]), seed=3, epoch=epoch)
        assert sorted(plan.positions.tolist()) == list(range(42))
        assert not plan.added.any()


@settings(max_examples=30)
@given(class_counts, modes, st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_images_of_a_class_are_drawn_equally_often_over_epochs(counts: list[int], mode: str, more: int, seed: int):
    labels = labels_of(counts)
    draws = equal_draws(np.array(counts), mode, int(np.count_nonzero(counts)) + more)
    epochs = [
        Counter(equal_epoch_plan(labels, draws, seed=seed, epoch=epoch).positions.tolist()) for epoch in range(1, 9)
    ]
    for drawn in accumulate(epochs):
        for label in range(len(counts)):
            times = [drawn[image] for image in np.flatnonzero(labels == label).tolist()]
            assert not times or max(times) - min(times) <= 1


def test_a_class_with_more_images_than_draws_shows_all_of_them_in_the_fewest_epochs():
    labels = np.zeros(100, dtype=int)
    shown: set[int] = set()
    for epoch, images in enumerate((30, 60, 90, 100), start=1):
        shown |= set(equal_epoch_plan(labels, np.array([30]), seed=0, epoch=epoch).positions.tolist())
        assert len(shown) == images


def test_a_plan_follows_from_seed_and_epoch_alone():
    labels, draws = labels_of([24, 12, 6]), np.array([14, 14, 14])

    def plan(seed: int, epoch: int) -> tuple[bytes, ...]:
        made = equal_epoch_plan(labels, draws, seed=seed, epoch=epoch)
        return made.positions.tobytes(), made.added.tobytes(), made.randoms.tobytes()

    assert plan(5, 900) == plan(5, 900)
    for others in (plan(5, 901), plan(6, 900)):
        assert all(ours != theirs for ours, theirs in zip(plan(5, 900), others, strict=True))
