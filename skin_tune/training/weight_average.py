"""A moving average of the weights, which grades better than the weights themselves."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of a network's weights and running statistics, kept as a network of its own.

    After each step the average moves towards the weights by 1 - d, where d = min(decay, (1 + n) / (10 + n)) and n is
    the number of steps before, so that it soon forgets where the weights began: the rule of TensorFlow's
    ExponentialMovingAverage with `num_updates`. Buffers of whole numbers are copied. Tarvainen & Valpola 2017, "Mean
    Teachers Are Better Role Models".
    """

    def __init__(self, network: nn.Module, decay: float):
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        """On the same device; only `update` changes it."""
        self.decay = decay
        self.steps = 0
        sources = [*network.parameters(), *network.buffers()]
        averages = [*self.network.parameters(), *self.network.buffers()]
        pairs = list(zip(averages, sources, strict=True))
        # Tensors, not names: loading a state dict copies into the same ones.
        self._moving = [pair for pair in pairs if pair[1].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[1].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Follow the network, which has just taken a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        # One call for all tensors: on a GPU a few kernels instead of hundreds.
        torch._foreach_lerp_([mine for mine, _ in self._moving], [its for _, its in self._moving], 1 - decay)
        if self._copied:
            torch._foreach_copy_([mine for mine, _ in self._copied], [its for _, its in self._copied])
        self.steps += 1
