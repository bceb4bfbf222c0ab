"""Mixup and CutMix: each image of a batch with a part of the one before it, and the labels of both."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skin_tune.config import TrialConfig

_STREAM = 1
"""Keeps these random numbers apart from those of the epoch's plan."""


class Box(NamedTuple):
    """Pixels in rows [top, bottom) and columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


class Mixer:
    """Mixes the batches of one epoch, in their order.

    A batch is mixed by one share, drawn from Beta(alpha, alpha), and by one method; where both are on, by either at
    even odds. Numbers follow from (seed, epoch) alone: every rank mixes its part of a batch by the same share.
    """

    def __init__(self, config: TrialConfig, epoch: int):
        self._mixup, self._cutmix = config.mixup_alpha, config.cutmix_alpha
        self._rng = np.random.default_rng([config.seed, epoch, _STREAM])

    def mix(self, images: Tensor) -> float:
        """Mix float images [B, C, S, S] in place; returns the share of its own label that each keeps, 1 unmixed."""
        if not self._mixup and not self._cutmix:
            return 1.0
        cut = bool(self._cutmix) and (not self._mixup or self._rng.random() < 0.5)
        alpha = self._cutmix if cut else self._mixup
        share = float(self._rng.beta(alpha, alpha))
        if not cut:
            mixup(images, share)
            return share
        side = images.shape[-1]
        row, column = self._rng.integers(side, size=2).tolist()
        return cutmix(images, cut_box(side, share, row, column))


def mixup(images: Tensor, share: float) -> None:
    """Blend each of `images` [B, C, S, S] in place: `share` of itself, the rest of the one before it.

    Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization".
    """
    images.lerp_(images.roll(1, dims=0), 1 - share)


def cut_box(side: int, share: float, row: int, column: int) -> Box:
    """The box around (row, column) whose area is 1 - `share` of an image of `side` pixels, cut off at the edges."""
    half = int(side * math.sqrt(1 - share)) // 2
    return Box(max(row - half, 0), min(row + half, side), max(column - half, 0), min(column + half, side))


def cutmix(images: Tensor, box: Box) -> float:
    """Paste into each of `images` [B, C, S, S], in place, the box of the one before it; returns the share left.

    Yun et al. 2019, "CutMix". The share is that of the pixels, so that the labels' weights are exact at the edges, too.
    """
    inside = images[:, :, box.top : box.bottom, box.left : box.right]
    inside.copy_(inside.roll(1, dims=0))
    return 1 - box.area / images.shape[-1] ** 2


def by_label(score: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor, share: float) -> Tensor:
    """`score` of logits [B, K] and labels [B] under the labels of mixed images, each label by its share: [B]."""
    own = score(logits, labels)
    return own if share == 1 else share * own + (1 - share) * score(logits, labels.roll(1))


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the decision is right: 0 or 1, float64 [B]."""
    return (logits.argmax(dim=1) == labels).to(torch.float64)
