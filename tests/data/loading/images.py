"""Images and rows of random numbers to augment them by."""

import numpy as np
import torch
from torch import Tensor

from skin_tune.data.loading.randoms import RANDOMS_PER_DRAW, Column


def crops(count: int, size: int = 24, seed: int = 0) -> Tensor:
    """uint8 [count, size, size, 3]"""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def colours(count: int, size: int = 24) -> Tensor:
    """Images in [0.3, 0.6]: no jitter takes them out of [0, 1]."""
    return 0.3 + 0.3 * torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def unchanging(count: int, **columns: float) -> Tensor:
    """Rows that change nothing: no flip, no turn, every factor 1, ...; but for the columns given, in lower case."""
    rows = torch.full((count, RANDOMS_PER_DRAW), 0.5)
    rows[:, Column.FLIP] = 0.9
    rows[:, [Column.CROP_AREA, Column.BLUR, Column.ERASED_AREA]] = 0.0
    for name, value in columns.items():
        rows[:, Column[name.upper()]] = value
    return rows


def any_rows(count: int, seed: int = 0) -> Tensor:
    """Rows as a plan has them."""
    return torch.rand(count, RANDOMS_PER_DRAW, generator=torch.Generator().manual_seed(seed))
