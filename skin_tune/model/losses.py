"""Losses for imbalanced grades. Each maps logits [B, K] and labels int64 [B] to one loss per sample [B]."""

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import LOSSES
from skin_tune.model.class_weights import class_weights


def class_balanced_weights(counts: npt.ArrayLike, beta: float) -> Tensor:
    """`class_weights` as the losses take them: float32 [K]."""
    return torch.tensor(class_weights(counts, beta), dtype=torch.float32)


class FocalLoss(nn.Module):
    """-w_y (1 - p_y)^gamma log p_y over the softmax; `gamma` 0 gives (weighted) cross-entropy.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4, in its softmax form.
    """

    weight: Tensor | None

    def __init__(self, gamma: float, weight: Tensor | None = None):
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = F.log_softmax(logits.float(), dim=1).gather(1, labels[:, None]).squeeze(1)
        loss = -log_p
        if self.gamma > 0:
            # Below gamma 1 the slope at p = 1 is infinite, and infinity times a loss of zero is not a number.
            wrong = (-torch.expm1(log_p)).clamp(min=1e-7)
            loss = wrong**self.gamma * loss
        return loss if self.weight is None else self.weight[labels] * loss


class SmoothedCrossEntropy(nn.Module):
    """Cross-entropy against labels of which `smoothing` is spread evenly over all classes (Szegedy et al. 2016)."""

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.smoothing, reduction="none")


def cross_entropy(config: TrialConfig, counts: npt.ArrayLike) -> nn.Module:
    """Plain cross-entropy."""
    return SmoothedCrossEntropy()


def label_smoothing(config: TrialConfig, counts: npt.ArrayLike) -> nn.Module:
    """Cross-entropy against labels smoothed by `config.smoothing`."""
    return SmoothedCrossEntropy(config.smoothing)


def focal(config: TrialConfig, counts: npt.ArrayLike) -> nn.Module:
    """Focal loss with `config.gamma`."""
    return FocalLoss(config.gamma)


def class_balanced(config: TrialConfig, counts: npt.ArrayLike) -> nn.Module:
    """Focal loss with `config.gamma`, times the class-balanced weights of `counts` [K] and `config.beta`."""
    return FocalLoss(config.gamma, class_balanced_weights(counts, config.beta))


def build_loss(config: TrialConfig, original_counts: npt.ArrayLike) -> nn.Module:
    """The training loss of `config`. `original_counts` [K] are the training images per class before oversampling."""
    loss: nn.Module = LOSSES[config.train_loss].load()(config, original_counts)
    return loss
