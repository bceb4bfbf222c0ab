"""Networks with a dropout head, finer strides on demand, and their starting weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import is_timm
from skin_tune.errors import WeightsError
from skin_tune.model.distributed_layers import SharedDropout
from skin_tune.model.tensor_file import read_safetensors, read_tensors
from skin_tune.model.timm_backbone import (
    TimmNetwork,
    build_timm_network,
    check_name,
    load_timm_weights,
    shapes_of_timm_weights,
)
from skin_tune.processes.loading import quick_imports
from skin_tune.storage.files import is_regular

StateDict = Mapping[str, Tensor]


def build_network(config: TrialConfig, classes: int, weights: StateDict | None = None) -> nn.Module:
    """`config.backbone`, torchvision's or timm's, with a dropout head for `classes` outputs, in float32 on the CPU.

    Maps float32 [B, 3, S, S] to logits [B, classes]. `weights` come from `load_weights`; the classifier always starts
    at random. Strides change no parameter's shape, so the same weights fit. Raises ConfigError where timm is not there,
    or has no such network for the config's sizes.
    """
    if is_timm(config.backbone):
        return build_timm_network(config, classes, weights)
    network = torchvision_models().get_model(config.backbone, weights=None)
    if weights is not None:
        own = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        network.load_state_dict(own, strict=False)
    network.conv1.stride = (config.stem_stride, config.stem_stride)
    first = network.layer4[0]
    strided = first.conv2 if hasattr(first, "conv3") else first.conv1
    strided.stride = first.downsample[0].stride = (config.last_stride, config.last_stride)
    network.fc = nn.Sequential(SharedDropout(config.dropout_prob), nn.Linear(network.fc.in_features, classes))
    return network


def dropout_of(network: nn.Module) -> SharedDropout:
    """The dropout in the head of a network from `build_network`."""
    dropout: SharedDropout = network.get_submodule("fc.0")  # type: ignore[assignment]
    return dropout


def backbone_input(network: nn.Module, images: Tensor) -> Tensor:
    """Images as `network` takes them, float32 [B, 3, S, S], turned to what `backbone_features` takes."""
    return network.normalised(images) if isinstance(network, TimmNetwork) else images


def backbone_features(network: Any, images: Tensor) -> Tensor:
    """Pooled features [B, F] of a network from `build_network`; its head, `fc`, turns them into logits."""
    if isinstance(network, TimmNetwork):
        features: Tensor = network.backbone(images)
        return features
    images = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        images = stage(images)
    return torch.flatten(network.avgpool(images), 1)


def backbone_parameters(network: nn.Module) -> list[nn.Parameter]:
    """All that a network from `build_network` trains, but the head."""
    return [p for name, p in network.named_parameters() if not name.startswith("fc.") and p.requires_grad]


def torchvision_models() -> Any:
    """torchvision.models, imported when first needed: it takes seconds, and most mistakes show before."""
    with quick_imports():
        import torchvision.models

    return torchvision.models


def load_weights(weights: str, backbone: str) -> dict[str, Tensor] | None:
    """The state dict that `weights` names: None for ``none``, the library's for ``imagenet``, else that of a file.

    The library's come from its download cache or, once, from the network. Raises WeightsError, with what to do, where
    they cannot be had or belong to another network, and ConfigError where timm is not there or has no such network.
    """
    if weights == "none":
        if is_timm(backbone):
            check_name(backbone)
        return None
    if weights == "imagenet":
        return load_timm_weights(backbone) if is_timm(backbone) else _downloaded(backbone)
    if not is_regular(Path(weights)):
        raise WeightsError(f"weights {weights!r} are neither 'imagenet' nor 'none' nor a file that exists")
    try:
        safe = weights.endswith(".safetensors")
        loaded = read_safetensors(Path(weights)) if safe else read_tensors(Path(weights), old_format=True)
    except ValueError as error:
        raise WeightsError(f"weights {weights!r} are not a plain PyTorch state dict: {error}") from None
    return _checked(loaded, backbone, weights)


def _downloaded(backbone: str) -> dict[str, Tensor]:
    url = torchvision_models().get_model_weights(backbone).DEFAULT.url
    name = url.rpartition("/")[2]
    try:
        state: Any = torch.hub.load_state_dict_from_url(url, progress=False, weights_only=True)
    except Exception as error:  # no network, a broken download, a broken file in the cache
        raise WeightsError(
            f"weights 'imagenet' of {backbone} cannot be downloaded ({error}); fetch {url} elsewhere and put {name} "
            f"in {torch.hub.get_dir()}/checkpoints or pass weights=/path/to/{name}, or start from weights=none"
        ) from None
    return _checked(state, backbone, "imagenet")


def _checked(loaded: Any, backbone: str, weights: str) -> dict[str, Tensor]:
    wanted = shapes_of_timm_weights(backbone) if is_timm(backbone) else _shapes_of_weights(backbone)
    if not isinstance(loaded, Mapping):
        raise WeightsError(f"weights {weights!r} hold a {type(loaded).__name__}, not a state dict of {backbone}")
    for name, value in wanted.items():
        if not isinstance(loaded.get(name), Tensor) or loaded[name].shape != value.shape:
            raise WeightsError(f"weights {weights!r} are of another network than {backbone}: {name} does not fit")
    return {name: loaded[name] for name in wanted}


def _shapes_of_weights(backbone: str) -> dict[str, Tensor]:
    """State dict of torchvision's network but its classifier, without values (on the meta device)."""
    with torch.device("meta"):
        state = torchvision_models().get_model(backbone, weights=None).state_dict()
    return {name: value for name, value in state.items() if not name.startswith("fc.")}
