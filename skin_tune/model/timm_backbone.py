"""Networks of timm (Wightman 2019, https://github.com/huggingface/pytorch-image-models) with our own head.

timm is an extra, and takes seconds to load: it is imported when the first of its networks is asked for.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from skin_tune.config import TrialConfig
from skin_tune.config.choices import TIMM
from skin_tune.errors import ConfigError, WeightsError
from skin_tune.model.distributed_layers import SharedDropout
from skin_tune.text.escaping import one_line


class TimmNetwork(nn.Module):
    """A network of timm up to its pooled features, then dropout and a classifier.

    Maps float32 [B, 3, S, S], normalised as ImageNet's networks want it, to logits [B, classes].
    """

    def __init__(self, backbone: Any, classes: int, config: TrialConfig):
        super().__init__()
        self.backbone = backbone
        features = backbone.head_hidden_size
        self.fc = nn.Sequential(SharedDropout(config.dropout_prob), nn.Linear(features, classes))
        self._scale, self._shift = _own_normalisation(backbone.pretrained_cfg)  # plain tensors: not in checkpoints

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.backbone(self.normalised(images)))
        return logits

    def normalised(self, images: Tensor) -> Tensor:
        """Images normalised as the backbone was trained, from the scale of ImageNet's networks."""
        scale, shift = (values.to(images.device, non_blocking=True) for values in (self._scale, self._shift))
        return images * scale + shift


def _own_normalisation(about: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Scale and shift [3, 1, 1] from ImageNet's mean and deviation to those the network was trained with."""
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    mean, std = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
    own_mean, own_std = torch.tensor(about["mean"]), torch.tensor(about["std"])
    return (std / own_std).view(3, 1, 1), ((mean - own_mean) / own_std).view(3, 1, 1)


def build_timm_network(config: TrialConfig, classes: int, weights: Mapping[str, Tensor] | None = None) -> TimmNetwork:
    """timm's `config.backbone` with a dropout head for `classes` outputs, in float32 on the CPU.

    `weights` come from `load_timm_weights`; timm resamples position embeddings where `config.image_size` is another
    than the network's own. Raises ConfigError where timm, the name or the network's sizes do not allow the config.
    """
    check_timm_network(config)
    backbone = _create(config)
    if weights is not None:
        own = backbone.state_dict()
        if all(weights[name].shape == value.shape for name, value in own.items()):
            backbone.load_state_dict(dict(weights))
        else:
            backbone = _resampled(config, weights)
    return TimmNetwork(backbone, classes, config)


def _resampled(config: TrialConfig, weights: Mapping[str, Tensor]) -> Any:
    """The network with weights of another input size, as timm's own loading turns them into its own."""
    try:
        backbone = _create(config, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(weights)})
    except RuntimeError:
        size = _timm().models.get_pretrained_cfg(_name(config.backbone)).input_size[-1]
        raise ConfigError(
            f"image_size={config.image_size} is not the size {size} of the weights of {config.backbone}, which timm "
            f"cannot resample; use image_size={size}, or weights=none"
        ) from None
    backbone.pretrained_cfg.pop("state_dict")  # else kept, and copied, with the network
    return backbone


def check_timm_network(config: TrialConfig) -> None:
    """Raise ConfigError unless timm is installed, knows `config.backbone`, and can build it for the config's sizes."""
    _check(config.backbone, config.image_size, config.stem_stride, config.last_stride)


@cache
def _check(backbone: str, image_size: int, stem_stride: int, last_stride: int) -> None:
    timm, name = _timm(backbone), _name(backbone)
    check_name(backbone)
    for stride_name, stride in {"stem_stride": stem_stride, "last_stride": last_stride}.items():
        if stride != getattr(TrialConfig, stride_name) and not _is_resnet(name):
            raise ConfigError(f"{stride_name}={stride} is for ResNets, {backbone} is none; leave it at 2")
    config = TrialConfig(
        backbone=backbone, weights="none", image_size=image_size, stem_stride=stem_stride, last_stride=last_stride
    )
    patch = 1
    try:
        # Nothing is computed on the meta device: a size that does not fit shows at once, not in the first step.
        with torch.device("meta"), torch.no_grad():
            network = _create(config).eval()
            patch = _patch_size(network)
            network(torch.zeros(1, 3, image_size, image_size))
    except Exception as error:  # each network has its own way to refuse a size
        own = timm.models.get_pretrained_cfg(name).input_size[-1]
        raise ConfigError(
            f"image_size={image_size} does not fit {backbone} (its own is {own}): {one_line(error)}"
        ) from None
    if image_size % patch:
        raise ConfigError(f"image_size={image_size} is not a multiple of {patch}, the patch size of {backbone}")


def check_name(backbone: str) -> None:
    """Raise ConfigError, with the nearest names, unless timm is installed and knows the network."""
    timm, name = _timm(backbone), _name(backbone)
    known = [*timm.list_models(), *timm.list_models(include_tags=True)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(TIMM + each for each in near)}?" if near else "timm.list_models() lists them"
        raise ConfigError(f"backbone={backbone!r} is none of timm's networks; {hint}")


def load_timm_weights(backbone: str) -> dict[str, Tensor]:
    """timm's pretrained weights of `backbone` for the input size it was trained at, from its cache or the network.

    Raises ConfigError for a name that timm does not know, WeightsError where there are no weights or none can be had.
    """
    check_name(backbone)
    timm, name = _timm(backbone), _name(backbone)
    about = timm.models.get_pretrained_cfg(name)
    if not about.has_weights:
        raise WeightsError(f"timm has no pretrained weights of {backbone}; start from weights=none or a file")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.utils import disable_progress_bars, logging

    disable_progress_bars()  # the live line says what is waited for, the error what failed
    logging.set_verbosity_error()
    # A file in the cache is taken as it is: asking the hub whether there is another takes a minute without a network.
    cached = try_to_load_from_cache(about.hf_hub_id, "model.safetensors") if about.hf_hub_id else None
    overlay = {"file": cached} if isinstance(cached, str) else None
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
        state: dict[str, Tensor] = network.state_dict()
    except Exception as error:  # no network, a broken download, a broken file in the cache
        raise WeightsError(
            f"weights 'imagenet' of {backbone} cannot be had ({one_line(error, 100)}); fetch {_address(about)} "
            "elsewhere and pass weights=/path/to/the/file, or start from weights=none"
        ) from None
    return state


def _address(about: Any) -> str:
    return f"https://huggingface.co/{about.hf_hub_id}/resolve/main/model.safetensors" if about.hf_hub_id else about.url


def shapes_of_timm_weights(backbone: str) -> dict[str, Tensor]:
    """State dict of a network at the input size it was trained at, without values (on the meta device)."""
    check_name(backbone)
    with torch.device("meta"):
        state: dict[str, Tensor] = _timm(backbone).create_model(_name(backbone), num_classes=0).state_dict()
    return state


def _create(config: TrialConfig, **options: Any) -> Any:
    timm, name = _timm(config.backbone), _name(config.backbone)
    options["num_classes"] = 0  # pooled features
    if timm.models.get_pretrained_cfg(name).fixed_input_size:
        options["img_size"] = config.image_size
    if config.last_stride == 1:
        options["output_stride"] = 16  # timm dilates the last stage instead, as in DeepLab
    network = timm.create_model(name, **options)
    if config.stem_stride == 1:
        stem = network.conv1
        (stem[0] if isinstance(stem, nn.Sequential) else stem).stride = (1, 1)
    for module in network.modules():
        if hasattr(module, "fused_attn"):
            # Its backward pass on a GPU adds up in no fixed order: the same seed would not give the same numbers.
            module.fused_attn = False
    return network


def _patch_size(network: Any) -> int:
    size = getattr(getattr(network, "patch_embed", None), "patch_size", 1)
    return int(size if isinstance(size, int) else size[0])


def _is_resnet(name: str) -> bool:
    return bool(_timm().models.is_model_in_modules(name, ("resnet",)))


def _name(backbone: str) -> str:
    return backbone.removeprefix(TIMM)


def _timm(backbone: str = TIMM) -> Any:
    try:
        import timm
    except ImportError:
        raise ConfigError(
            f"backbone={backbone!r} needs timm, not installed here: pip install 'skin-tune[timm]'"
        ) from None
    return timm
