"""Losses for imbalanced grades. Each maps logits [B, K] and labels int64 [B] to one loss per sample [B]."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import LOSSES
from skin_tune.model.class_weights import class_weights
from skin_tune.model.prior import Floats, normalised

Counts = npt.NDArray[np.integer] | Sequence[int]


class GradeLoss(nn.Module):
    """A loss that knows the prior a classifier learns from it.

    A classifier that minimises cross-entropy over a stream learns the probabilities of that stream; those of class i
    are drawn `draws[i]` times and count `weight[i]` each, once the epochs without weights are over.
    """

    weight: Tensor | None
    """Of each class [K]; None where all count alike."""

    def __init__(self, weight: Tensor | None = None, reweight_after: int = 0):
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.reweight_after = reweight_after
        self.begin_epoch(1)

    def begin_epoch(self, epoch: int) -> None:
        """Let the weights count from epoch `reweight_after` + 1 on: deferred re-weighting of Cao et al. 2019."""
        self.weights_count = max(epoch, 1) > self.reweight_after

    def weighted(self, losses: Tensor, labels: Tensor) -> Tensor:
        """`losses` [B] times the weights of their labels, if these count in this epoch."""
        return losses if self.weight is None or not self.weights_count else self.weight[labels] * losses

    def targets(self, classes: int) -> Floats:
        """The distribution that is learnt for an image of each class: [K, K], rows sum to 1."""
        return np.eye(classes)

    def prior(self, draws: Counts) -> Floats:
        """Prior [K] of the classifier trained on `draws` [K] images of each class: the mean target, sums to 1.

        Where weights are deferred it is that of the epoch last begun.
        """
        counting = self.weight if self.weights_count else None
        weight = np.ones(len(draws)) if counting is None else counting.cpu().numpy().astype(np.float64)
        return normalised(np.asarray(draws) * weight @ self.targets(len(draws)))


def class_balanced_weights(counts: npt.ArrayLike, beta: float) -> Tensor:
    """`class_weights` as the losses take them: float32 [K]."""
    return torch.tensor(class_weights(counts, beta), dtype=torch.float32)


class FocalLoss(GradeLoss):
    """-w_y (1 - p_y)^gamma log p_y over the softmax; `gamma` 0 gives (weighted) cross-entropy.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4, in its softmax form.
    """

    def __init__(self, gamma: float, weight: Tensor | None = None, reweight_after: int = 0):
        super().__init__(weight, reweight_after)
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = F.log_softmax(logits.float(), dim=1).gather(1, labels[:, None]).squeeze(1)
        loss = -log_p
        if self.gamma > 0:
            # Below gamma 1 the slope at p = 1 is infinite, and infinity times a loss of zero is not a number.
            wrong = (-torch.expm1(log_p)).clamp(min=1e-7)
            loss = wrong**self.gamma * loss
        return self.weighted(loss, labels)


class SmoothedCrossEntropy(GradeLoss):
    """Cross-entropy against labels of which `smoothing` is spread evenly over all classes (Szegedy et al. 2016)."""

    def __init__(self, smoothing: float = 0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, label_smoothing=self.smoothing, reduction="none")

    def targets(self, classes: int) -> Floats:
        return (1 - self.smoothing) * np.eye(classes) + self.smoothing / classes


def cross_entropy(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Plain cross-entropy."""
    return SmoothedCrossEntropy()


def label_smoothing(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Cross-entropy against labels smoothed by `config.smoothing`."""
    return SmoothedCrossEntropy(config.smoothing)


def focal(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Focal loss with `config.gamma`."""
    return FocalLoss(config.gamma)


def class_balanced(config: TrialConfig, counts: Counts, draws: Counts) -> GradeLoss:
    """Focal loss with `config.gamma`, times the class-balanced weights of `counts` [K] and `config.beta`."""
    return FocalLoss(config.gamma, class_balanced_weights(counts, config.beta), config.reweight_after)


def build_loss(config: TrialConfig, original_counts: Counts, draws: Counts | None = None) -> GradeLoss:
    """The training loss of `config`.

    `original_counts` [K] are the training images per class before oversampling, `draws` [K] those drawn in an epoch;
    None takes each image once.
    """
    build = LOSSES[config.train_loss].load()
    loss: GradeLoss = build(config, original_counts, original_counts if draws is None else draws)
    return loss
