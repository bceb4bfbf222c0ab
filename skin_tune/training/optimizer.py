"""The optimiser and the course of its learning rate."""

import math
from typing import Any

import torch
from torch import nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import OPTIMIZERS

Groups = list[dict[str, Any]]
"""Parameters with their weight decay, as torch's optimisers take them."""


def adamw(groups: Groups, config: TrialConfig) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def adam(groups: Groups, config: TrialConfig) -> torch.optim.Optimizer:
    """Adam (Kingma & Ba 2015)."""
    return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)


def sgd(groups: Groups, config: TrialConfig) -> torch.optim.Optimizer:
    """Stochastic gradient descent with Nesterov momentum 0.9."""
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True, fused=True)


def build_optimizer(config: TrialConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that `config` names; weight decay spares biases and normalisation."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer: torch.optim.Optimizer = OPTIMIZERS[config.optimizer].load()(groups, config)
    return optimizer


def schedule_factor(config: TrialConfig, epochs_done: float) -> float:
    """Learning rate at a point of the run (in epochs, from 0 to `config.epochs`) as a share of its peak.

    A linear warm-up over `warmup_epochs`, at most half the run, then half a cosine to zero, or constant.
    """
    warmup = min(config.warmup_epochs, config.epochs / 2)
    if epochs_done < warmup:
        return epochs_done / warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (epochs_done - warmup) / (config.epochs - warmup)))
