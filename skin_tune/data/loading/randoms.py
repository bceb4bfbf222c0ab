"""Which of a draw's uniform numbers sets which part of its augmentation."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Column(IntEnum):
    """Columns of `EpochPlan.randoms`; those up to SPARE came first."""

    FLIP = 0
    ANGLE = 1
    BRIGHTNESS = 2
    CONTRAST = 3
    SATURATION = 4
    SPARE = 5
    CROP_AREA = 6
    CROP_SHAPE = 7
    CROP_X = 8
    CROP_Y = 9
    SHIFT_X = 10
    SHIFT_Y = 11
    HUE = 12
    BLUR = 13
    ERASED_AREA = 14
    ERASED_SHAPE = 15
    ERASED_X = 16
    ERASED_Y = 17


RANDOMS_PER_DRAW = len(Column)
_BLOCKS = (Column.SPARE + 1, RANDOMS_PER_DRAW - Column.SPARE - 1)
"""Columns that were added together."""


def draw_randoms(rng: np.random.Generator, draws: int) -> npt.NDArray[np.float32]:
    """Uniform numbers in [0, 1), float32 [draws, RANDOMS_PER_DRAW].

    Drawn block by block, so that a seed keeps its augmentation when columns are added behind.
    """
    return np.hstack([rng.random((draws, width), dtype=np.float32) for width in _BLOCKS])
