"""The optimiser and the course of its learning rate."""

import math

import torch
from torch import nn

from skin_tune.config import TrialConfig


def build_optimizer(config: TrialConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that `config` names; weight decay spares biases and normalisation."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True, fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


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
