"""A loss that knows the order of the grades."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skin_tune.config import TrialConfig
from skin_tune.model.losses import Counts, GradeLoss
from skin_tune.model.prior import Floats


def sord_targets(classes: int, width: float) -> Floats:
    """Target of each grade [K, K], rows sum to 1: softmax over k of -(k - y)^2 / (2 width^2), for true grade y.

    Diaz & Marathe 2019, "Soft Labels for Ordinal Regression", eq. 1, with the squared distance; `width`, in grades, is
    the standard deviation of the bell, and 1 / sqrt(2) their unscaled distance. Towards 0 targets become one-hot.
    """
    grades = np.arange(classes)
    with np.errstate(over="ignore"):  # of a very small width: a distance of infinity is right
        bell = np.exp(-((np.abs(grades[:, None] - grades) / width) ** 2) / 2)
    targets: Floats = bell / bell.sum(axis=1, keepdims=True)
    return targets


class Sord(GradeLoss):
    """Cross-entropy against `sord_targets`: a grade that is off by one costs less than one off by three."""

    soft: Tensor
    """float32 [K, K]"""

    def __init__(self, classes: int, width: float):
        super().__init__()
        self._targets = sord_targets(classes, width)
        self.register_buffer("soft", torch.tensor(self._targets, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), self.soft[labels], reduction="none")

    def targets(self, classes: int) -> Floats:
        return self._targets


def sord(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Cross-entropy against grades softened by `config.sord_width`."""
    return Sord(len(counts), config.sord_width)
