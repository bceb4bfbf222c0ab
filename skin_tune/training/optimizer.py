"""The optimiser and the course of its learning rate."""

import math
from typing import Any

import torch
from torch import nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import OPTIMIZERS
from skin_tune.model.layers import distances_from_head, never_decayed
from skin_tune.model.network import backbone_parameters

Groups = list[dict[str, Any]]
"""Parameters with their weight decay and share of the learning rate, as torch's optimisers take them."""


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
    """The optimiser that `config` names; weight decay spares biases, normalisation and embeddings of positions.

    Each group's `lr_scale` is its share of the learning rate, `layer_decay` to the power of its stages from the head
    (Bao et al. 2022, "BEiT"; Clark et al. 2020, "ELECTRA").
    """
    distances = distances_from_head(network) if config.layer_decay < 1 else {}
    spared = never_decayed(network)
    backbone = {id(parameter) for parameter in backbone_parameters(network)} if config.freeze_epochs else set()
    groups: dict[tuple[bool, int, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        distance, is_spared = distances.get(name, 0), parameter.ndim <= 1 or name in spared
        group = groups.setdefault(
            # What is frozen has no momentum yet when the head has: fused SGD fails on a group of both.
            (id(parameter) in backbone, distance, is_spared),
            {
                "params": [],
                "weight_decay": 0.0 if is_spared else config.weight_decay,
                "lr_scale": config.layer_decay**distance,
            },
        )
        group["params"].append(parameter)
    # In this order, so that a checkpoint's numbers of parameters stay what they were.
    in_order = [groups[key] for key in sorted(groups)]
    optimizer: torch.optim.Optimizer = OPTIMIZERS[config.optimizer].load()(in_order, config)
    return optimizer


def warmup_of(config: TrialConfig) -> float:
    """Epochs of the warm-up: `warmup_epochs`, at most half the run."""
    return min(config.warmup_epochs, config.epochs / 2)


def schedule_factor(config: TrialConfig, epochs_done: float) -> float:
    """Learning rate at a point of the run (in epochs, from 0 to `config.epochs`) as a share of its peak.

    A linear warm-up, then half a cosine to zero, or constant.
    """
    warmup = warmup_of(config)
    if epochs_done < warmup:
        return epochs_done / warmup
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (epochs_done - warmup) / (config.epochs - warmup)))
