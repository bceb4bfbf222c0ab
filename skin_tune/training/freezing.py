"""Training the classifier alone, while the backbone stays as it is."""

from collections.abc import Iterable

from torch import nn


def freeze_backbone(network: nn.Module, backbone: Iterable[nn.Parameter], frozen: bool) -> None:
    """Freeze all but the head of a network in training mode, or train it (again).

    A frozen backbone gets no gradients, so that the optimiser neither moves nor decays it and gathers no momentum, and
    is in evaluation mode: no running statistic changes. `backbone` are the parameters that are trained otherwise.
    """
    for parameter in backbone:
        parameter.requires_grad_(not frozen)
    if frozen:
        network.eval()
        network.get_submodule("fc").train()
