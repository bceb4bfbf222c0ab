"""What an epoch draws: every image once, rare grades more often, the same for any number of workers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skin_tune.data.loading.oversampling import batches, epoch_plan, target_counts
from skin_tune.data.loading.randoms import RANDOMS_PER_DRAW, Column

FOREHEAD = np.array([572, 5083, 3393, 2340, 1092, 819, 637])

class_counts = st.lists(st.integers(1, 40), min_size=2, max_size=7)
epochs = st.integers(1, 1000)
seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(["none", "sqrt", "balanced"])


def shuffled_labels(counts: list[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


# Targets


def test_without_oversampling_the_targets_are_the_counts() -> None:
    assert target_counts(FOREHEAD, "none", 9999).tolist() == FOREHEAD.tolist()


def test_balanced_draws_every_class_as_often_as_the_largest() -> None:
    assert target_counts(FOREHEAD, "balanced").tolist() == [5083] * 7


def test_balanced_up_to_a_target_never_leaves_an_image_out() -> None:
    assert target_counts(FOREHEAD, "balanced", 1000).tolist() == [1000, 5083, 3393, 2340, 1092, 1000, 1000]


def test_sqrt_is_the_geometric_mean_of_count_and_target() -> None:
    assert target_counts(np.array([1, 4, 25, 100]), "sqrt").tolist() == [10, 20, 50, 100]
    assert target_counts(np.array([4, 100]), "sqrt", 9).tolist() == [6, 100]


@pytest.mark.parametrize("mode", ["none", "sqrt", "balanced"])
def test_a_class_without_images_gets_no_draws(mode: str) -> None:
    targets = target_counts(np.array([3, 0, 5]), mode)
    assert targets[1] == 0
    assert len(epoch_plan(np.array([0] * 3 + [2] * 5), targets, seed=0, epoch=1)) == targets.sum()


# Plans


@settings(max_examples=60)
@given(class_counts, modes, st.integers(0, 60), seeds, epochs)
def test_every_image_is_an_original_once_and_added_draws_are_even(
    counts: list[int], mode: str, target: int, seed: int, epoch: int
) -> None:
    labels = shuffled_labels(counts, seed)
    targets = target_counts(np.array(counts), mode, target)
    plan = epoch_plan(labels, targets, seed=seed, epoch=epoch)
    assert len(plan) == len(plan.positions) == len(plan.added) == targets.sum()
    assert sorted(plan.positions[~plan.added].tolist()) == list(range(len(labels)))
    assert np.bincount(labels[plan.positions], minlength=len(counts)).tolist() == targets.tolist()
    added = Counter(plan.positions[plan.added].tolist())
    for label in range(len(counts)):
        times = [added[image] for image in np.flatnonzero(labels == label).tolist()]
        assert max(times) - min(times) <= 1
    assert plan.randoms.shape == (len(plan), RANDOMS_PER_DRAW)
    assert plan.randoms.dtype == np.float32
    assert (plan.randoms >= 0).all()
    assert (plan.randoms < 1).all()


@settings(max_examples=40)
@given(class_counts, seeds, epochs)
def test_a_plan_repeats_for_the_same_seed_and_epoch_alone(counts: list[int], seed: int, epoch: int) -> None:
    labels, targets = shuffled_labels(counts, 0), target_counts(np.array(counts), "balanced")

    def plan(seed: int, epoch: int) -> tuple[bytes, ...]:
        made = epoch_plan(labels, targets, seed=seed, epoch=epoch)
        return made.positions.tobytes(), made.added.tobytes(), made.randoms.tobytes()

    assert plan(seed, epoch) == plan(seed, epoch)
    assert plan(seed, epoch)[2] != plan(seed, epoch + 1)[2]
    assert plan(seed, epoch)[2] != plan((seed + 1) % 2**32, epoch)[2]


def test_epochs_differ_in_order_and_in_what_is_added() -> None:
    labels = np.repeat([0, 1], [50, 300])
    targets = np.array([70, 300])
    first, second = (epoch_plan(labels, targets, seed=0, epoch=epoch) for epoch in (1, 2))
    assert first.positions.tolist() != second.positions.tolist()
    assert set(first.positions[first.added].tolist()) != set(second.positions[second.added].tolist())


def test_originals_and_added_draws_are_mixed() -> None:
    plan = epoch_plan(np.repeat([0, 1], [100, 900]), np.array([900, 900]), seed=0, epoch=1)
    assert 0.3 < plan.added[:900].mean() < 0.6  # 800 of 1800


def test_columns_that_came_first_are_drawn_first() -> None:
    """A seed gives what it gave when a draw had six of them."""
    plan = epoch_plan(np.repeat([0, 1], [5, 8]), np.array([5, 8]), seed=3, epoch=2)
    rng = np.random.default_rng([3, 2])
    rng.permutation(13)
    assert np.array_equal(plan.randoms[:, :6], rng.random((13, 6), dtype=np.float32))
    assert [Column(number).name for number in range(6)] == [
        "FLIP",
        "ANGLE",
        "BRIGHTNESS",
        "CONTRAST",
        "SATURATION",
        "SPARE",
    ]


# Batches


@settings(max_examples=80)
@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 5))
def test_ranks_share_the_plan_without_loss_or_repeat(draws: int, batch_size: int, world_size: int) -> None:
    whole = batches(draws, batch_size)
    shares = [batches(draws, batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert np.concatenate(whole).tolist() == list(range(draws))
    assert len({len(share) for share in shares}) == 1, "every rank takes the same number of steps"
    for step, batch in enumerate(whole):
        parts = [share[step] for share in shares]
        assert sorted(np.concatenate(parts).tolist()) == batch.tolist()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@settings(max_examples=80)
@given(st.integers(2, 500), st.integers(2, 64))
def test_whole_batches_are_as_long_as_asked_but_for_the_last_or_the_last_two(draws: int, batch_size: int) -> None:
    parts = batches(draws, batch_size, whole=True)
    assert np.concatenate(parts).tolist() == list(range(draws))
    sizes = [len(part) for part in parts]
    others = [size for size in sizes if size != batch_size]
    assert sizes == [batch_size] * (len(sizes) - len(others)) + others
    assert len(others) <= 2
    if batch_size > 2:
        assert len(sizes) == -(-draws // batch_size), "as many steps as with batches nearly alike"
        assert min(sizes) >= min(2, draws)
        assert min(sizes) >= batch_size // 2 or draws < batch_size


@settings(max_examples=80)
@given(st.integers(2, 500), st.integers(2, 64))
def test_batches_are_full_but_for_a_draw_here_and_there(draws: int, batch_size: int) -> None:
    sizes = [len(batch) for batch in batches(draws, batch_size)]
    assert max(sizes) <= max(batch_size, 3)  # an odd draw joins a pair: batch normalisation cannot train on one image
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    if batch_size > 2:
        assert len(sizes) == -(-draws // batch_size)
