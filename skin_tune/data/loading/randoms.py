"""Which of a draw's uniform numbers sets which part of its augmentation."""

from enum import IntEnum


class Column(IntEnum):
    """Columns of `EpochPlan.randoms`.

    Those up to SPARE came first and are drawn first: a seed keeps its augmentation when a method is added behind them.
    """

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


FIRST_COLUMNS = Column.SPARE + 1
RANDOMS_PER_DRAW = len(Column)
