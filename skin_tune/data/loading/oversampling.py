"""The draws of a training epoch: a deterministic plan of indices, balanced over grades."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skin_tune.data.loading.randoms import draw_randoms


@dataclass(frozen=True)
class EpochPlan:
    """The draws of one epoch, in order.

    Depends on (labels, targets, seed, epoch) alone, so that any number of workers can each take their share of it.
    """

    positions: npt.NDArray[np.int64]
    """Which training image each draw shows [D]: positions in `labels`."""
    added: npt.NDArray[np.bool_]
    """Whether oversampling added the draw [D]: its image is among the others, too."""
    randoms: npt.NDArray[np.float32]
    """Uniform numbers in [0, 1) that set each draw's augmentation [D, RANDOMS_PER_DRAW]: see `randoms.Column`."""

    def __len__(self) -> int:
        return len(self.positions)


def target_counts(counts: npt.NDArray[np.integer], oversample: str, target: int = 0) -> npt.NDArray[np.int64]:
    """Draws per class and epoch [K] for training counts [K]; never below the counts, so no image is left out.

    `balanced` draws each class up to `target` (0: the size of the largest class); `sqrt` up to the geometric mean of
    its count and the target, which makes draws proportional to the square root of the counts; `none` adds nothing.
    """
    current = np.asarray(counts, dtype=np.int64)
    if oversample == "none":
        return current
    goal = np.full(len(current), target or current.max(), dtype=np.float64)
    if oversample == "sqrt":
        goal = np.sqrt(current * goal)
    return np.where(current > 0, np.maximum(current, np.rint(goal).astype(np.int64)), 0)


def epoch_plan(
    labels: npt.NDArray[np.integer], targets: npt.NDArray[np.integer], *, seed: int, epoch: int
) -> EpochPlan:
    """Every training image once, plus, per class, draws added in rounds that show each image equally often.

    `labels` [N] are the training labels, `targets` [K] the wanted draws per class (at least the class's count).
    """
    rng = np.random.default_rng([seed, epoch])
    added = []
    for label, target in enumerate(targets):
        members = np.flatnonzero(labels == label)
        missing = int(target) - len(members)
        if missing > 0:
            rounds = math.ceil(missing / len(members))
            added.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[:missing])
    positions = np.concatenate([np.arange(len(labels)), *added]).astype(np.int64)
    order = rng.permutation(len(positions))
    return EpochPlan(
        positions=positions[order],
        added=(order >= len(labels)),
        randoms=draw_randoms(rng, len(positions)),
    )


def batches(
    draws: int, batch_size: int, *, rank: int = 0, world_size: int = 1, whole: bool = False
) -> list[npt.NDArray[np.int64]]:
    """This rank's draws of every global batch: indices into the plan.

    Global batches are `batch_size` long or, so that none is tiny, a little shorter, all nearly alike; with `whole` all
    are `batch_size` long but the last one, or the last two where one would be less than half as long. Each is dealt
    out to the ranks in turn: no draw is lost or shown twice, whatever `world_size` is.
    """
    rest = draws
    if whole:
        rest = draws % batch_size
        if 0 < rest < max(2, batch_size / 2):
            rest = min(rest + batch_size, draws)
    plan = np.arange(draws)
    parts = [plan[start : start + batch_size] for start in range(0, draws - rest, batch_size)]
    if rest:
        parts += np.array_split(plan[draws - rest :], _count(rest, batch_size))
    return [part[rank::world_size] for part in parts]


def _count(draws: int, batch_size: int) -> int:
    count = math.ceil(draws / batch_size)
    return count if draws // count >= 2 else max(1, draws // batch_size)  # one image cannot be normalised by batch
