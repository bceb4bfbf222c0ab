"""Hyper-parameters of the hand-written loop, and what follows from them: losses, schedule, prior and decision."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

LOSSES = ("ce", "focal", "cb")


@dataclass(frozen=True)
class Recipe:
    """What one run of the loop does: a ResNet-18 from random weights, AdamW, cosine schedule after a warm-up."""

    loss: str = "ce"
    """One of LOSSES: cross-entropy, focal (Lin et al. 2017), focal times class-balanced weights (Cui et al. 2019)."""
    oversample: bool = False
    """Draw all classes alike, with replacement; an epoch is as long as without."""
    augment: bool = False
    """Random resized crop and horizontal flip."""
    adjusted: bool = False
    """Decide by logits minus the log of the prior the network was trained under (Menon et al. 2021, tau 1)."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    gamma: float = 1.0
    beta: float = 0.999
    batch_size: int = 32
    warmup_epochs: int = 1
    epochs: int = 6
    image_size: int = 64
    seed: int = 0


def rate_factor(recipe: Recipe, epochs: float) -> float:
    """Share of the peak learning rate after so many epochs: linear warm-up, then a cosine to zero."""
    warmup = min(recipe.warmup_epochs, recipe.epochs / 2)
    if epochs < warmup:
        return epochs / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (epochs - warmup) / (recipe.epochs - warmup))))


def loss_weights(recipe: Recipe, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weight of each class [K] in the loss, 1 on average: those of Cui et al. 2019, eq. 9, for `cb`."""
    if recipe.loss != "cb":
        return np.ones(len(counts))
    weights = (1 - recipe.beta) / (1 - recipe.beta ** counts.astype(np.float64))
    return weights * len(counts) / weights.sum()


def loss_of(recipe: Recipe, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean loss of logits [B, K] and labels [B]."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    if recipe.loss != "ce":
        losses = (1 - torch.exp(-losses)).clamp(min=1e-7) ** recipe.gamma * losses
    return (weights[labels] * losses).mean()


def trained_prior(recipe: Recipe, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The prior [K] a network was trained under: draws per class times the class's weight in the loss, summing to 1."""
    draws = np.full(len(counts), 1 / len(counts)) if recipe.oversample else counts / counts.sum()
    prior = draws * loss_weights(recipe, counts)
    return prior / prior.sum()


def decide(logits: npt.NDArray[np.floating], prior: npt.NDArray[np.float64] | None) -> npt.NDArray[np.int64]:
    """argmax of logits [N, K], less the log of the prior [K] if one is given (Menon et al. 2021, eq. 9, tau 1)."""
    return (logits if prior is None else logits - np.log(prior)).argmax(axis=1)
