"""How deep each parameter of a network lies, and which are never decayed."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from skin_tune.model.timm_backbone import TimmNetwork

_RESNET_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "fc")
_BACKBONE, _HEAD = "backbone.", "fc."


def distances_from_head(network: nn.Module) -> dict[str, int]:
    """Stages between each parameter of a network from `build_network`, by name, and the classifier: 0 for its own.

    A ResNet's stages are its stem and its four groups of blocks; a network of timm says which are its own, as a vision
    transformer each of its blocks.
    """
    stages = _timm_stages(network) if isinstance(network, TimmNetwork) else _resnet_stages(network)
    return {name: max(stages.values()) - stage for name, stage in stages.items()}


def never_decayed(network: nn.Module) -> set[str]:
    """Names of parameters that are no weights though they have several dimensions, such as position embeddings."""
    if not isinstance(network, TimmNetwork) or not hasattr(network.backbone, "no_weight_decay"):
        return set()
    return {_BACKBONE + name for name in network.backbone.no_weight_decay()}


def _resnet_stages(network: nn.Module) -> dict[str, int]:
    firsts = {name: name.partition(".")[0] for name, _ in network.named_parameters()}
    return {name: _RESNET_STAGES.index(first) if first in _RESNET_STAGES else 0 for name, first in firsts.items()}


def _timm_stages(network: TimmNetwork) -> dict[str, int]:
    """Stage of each parameter, from the input's 0; the last also has what timm counts to its head, such as a norm."""
    from timm.models import group_parameters

    names = [name.removeprefix(_BACKBONE) for name, _ in network.named_parameters()]
    if hasattr(network.backbone, "group_matcher"):
        stages = group_parameters(_Names(names), network.backbone.group_matcher(coarse=True), reverse=True)
    else:  # a few do not say: each part of the network is a stage
        parts = list(dict.fromkeys(name.partition(".")[0] for name in names))
        stages = {name: parts.index(name.partition(".")[0]) for name in names}
    return {name if name.startswith(_HEAD) else _BACKBONE + name: stage for name, stage in stages.items()}


class _Names:
    """Parameters as timm's grouping wants them: it looks at their names alone."""

    def __init__(self, names: list[str]):
        self._names = names

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        return ((name, None) for name in self._names)
