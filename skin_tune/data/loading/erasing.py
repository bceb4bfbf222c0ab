"""Random erasing (Zhong et al. 2020): half of the images lose a rectangle."""

import torch
from torch import Tensor

from skin_tune.data.loading.randoms import Column
from skin_tune.data.loading.rectangles import draw_rectangles

SMALLEST, LARGEST = 0.02, 0.33
"""Share of the area, as torchvision's RandomErasing; the paper's largest is 0.4."""
LARGEST_AT_ALL = 0.8
LARGEST_RATIO = 1 / 0.3


def erased(randoms: Tensor, strength: float, size: int) -> Tensor:
    """Which pixels of each image of `size` px are erased: bool [B, 1, size, size]."""
    share = 2 * randoms[:, Column.ERASED_AREA] - 1
    lowest, highest = min(SMALLEST * strength, LARGEST_AT_ALL), min(LARGEST * strength, LARGEST_AT_ALL)
    area = lowest + (highest - lowest) * share.clamp(min=0)
    box = draw_rectangles(area, LARGEST_RATIO, randoms[:, Column.ERASED_SHAPE : Column.ERASED_Y + 1])
    middles = (torch.arange(size, device=randoms.device) + 0.5) / size
    columns, rows = (
        (start[:, None] <= middles) & (middles < (start + length)[:, None])
        for start, length in ((box.left, box.width), (box.top, box.height))
    )
    rows &= (share >= 0)[:, None]
    return rows[:, None, :, None] & columns[:, None, None, :]
