"""Epochs of a given number of draws: oversampling decides which images are drawn, not how many."""

import numpy as np
import numpy.typing as npt

from skin_tune.data.loading.oversampling import RANDOMS_PER_DRAW, EpochPlan


def equal_draws(counts: npt.NDArray[np.integer], oversample: str, images: int) -> npt.NDArray[np.int64]:
    """Draws per class of an epoch of `images` draws [K], which they sum to, for training counts [K].

    `none` shares the draws out by the counts, `sqrt` by their square roots, `balanced` evenly; fractions are rounded by
    largest remainder. Every class that has images gets a draw. Raises ValueError where there are fewer draws than such
    classes.
    """
    current = np.asarray(counts, dtype=np.int64)
    present = (current > 0).astype(np.int64)
    if images < present.sum():
        raise ValueError(f"{images} draws cannot show {present.sum()} classes")
    shares = {"none": current, "sqrt": np.sqrt(current), "balanced": present}[oversample]
    quotas = images * shares / shares.sum()
    draws = np.maximum(np.floor(quotas).astype(np.int64), present)
    missing = images - int(draws.sum())
    if missing > 0:
        draws[np.argsort(draws - quotas, kind="stable")[:missing]] += 1
    for _ in range(-missing):  # rare classes were raised to one draw: the most generous others give theirs
        draws[np.argmax(np.where(draws > 1, draws - quotas, -np.inf))] -= 1
    return draws


def equal_epoch_plan(
    labels: npt.NDArray[np.integer], draws: npt.NDArray[np.integer], *, seed: int, epoch: int
) -> EpochPlan:
    """An epoch, from 1, of `draws` [K] images of each class, for the training labels [N].

    Each class has a stream of permutations of its images that continues from epoch to epoch: at any time two of its
    images have been drawn equally often or once more, also where an epoch is too short to show all of them. `added` are
    the draws of images that the epoch has drawn before; one drawn once is not added, however often its class is.
    """
    positions = np.concatenate(
        [
            _stretch(np.flatnonzero(labels == label), (epoch - 1) * int(count), int(count), seed, label)
            for label, count in enumerate(draws)
            if count
        ]
    ).astype(np.int64)
    rng = np.random.default_rng([seed, epoch])
    positions = positions[rng.permutation(len(positions))]
    added = np.ones(len(positions), dtype=bool)
    added[np.unique(positions, return_index=True)[1]] = False
    return EpochPlan(positions, added, rng.random((len(positions), RANDOMS_PER_DRAW), dtype=np.float32))


def _stretch(members: npt.NDArray[np.int64], start: int, length: int, seed: int, label: int) -> npt.NDArray[np.int64]:
    """Draws `start` to `start + length` of a class's stream; permutations before them need not be made."""
    first, last = start // len(members), (start + length - 1) // len(members)
    # Spawn keys: [seed, label, 0] would be the generator of [seed, label], which is that of an epoch.
    seeds = (np.random.SeedSequence(seed, spawn_key=(label, number)) for number in range(first, last + 1))
    stream = np.concatenate([np.random.default_rng(each).permutation(members) for each in seeds])
    return stream[start - first * len(members) :][:length]
