"""Brightness, contrast, saturation and hue: one linear map of RGB for each image."""

import math
from collections.abc import Collection

import torch
from torch import Tensor

from skin_tune.data.loading.randoms import Column

JITTER = 0.2
"""Brightness, contrast and saturation are each scaled by a factor in [1 - JITTER, 1 + JITTER]."""
MAX_HUE = 0.05
"""Turns; half of what Perez et al. (2018) take for skin lesions."""

COLOURING = frozenset({"color_jitter", "hue"})
_LUMA = torch.tensor((0.299, 0.587, 0.114))  # ITU-R BT.601


def colour_maps(randoms: Tensor, methods: Collection[str], strength: float) -> tuple[Tensor, Tensor]:
    """Brightness, then contrast about the image's mean grey, then saturation, then hue.

    Returns maps [B, 3, 3], and the offset of every channel as weights [B, 3] of the image's mean red, green and blue.
    """
    eye = torch.eye(3, device=randoms.device)
    if "color_jitter" in methods:
        lowest, highest = max(1 - JITTER * strength, 0.0), 1 + JITTER * strength
        factors = lowest + (highest - lowest) * randoms[:, Column.BRIGHTNESS : Column.SATURATION + 1]
        brightness, contrast, saturation = factors.view(-1, 3, 1, 1).unbind(dim=1)
        luma = _LUMA.to(randoms.device, non_blocking=True)
        saturate = torch.lerp(luma.expand(3, 3), eye, saturation)
        # A grey offset passes through the maps of saturation and hue unchanged: their rows sum to one.
        maps, greys = brightness * contrast * saturate, ((1 - contrast) * brightness).squeeze(2) * luma
    else:
        maps, greys = eye.expand(len(randoms), 3, 3), torch.zeros(len(randoms), 3, device=randoms.device)
    if "hue" in methods:
        turns = (2 * randoms[:, Column.HUE] - 1) * min(MAX_HUE * strength, 0.5)
        maps = hue_maps(turns) @ maps
    return maps, greys


def hue_maps(turns: Tensor) -> Tensor:
    """Maps [B, 3, 3] that turn RGB about the grey axis by `turns` [B]; 1/3 turns red into green, green into blue.

    By Rodrigues' formula, cos t I + (1 - cos t) k k' + sin t [k]x with k = (1, 1, 1) / sqrt(3). Greys stay, as does the
    sum of the channels. HSV's shift of hue, torchvision's, follows a hexagon instead: it agrees at each third of a
    turn, is not linear, and takes several times as long.
    """
    angle = 2 * math.pi * turns
    cos, sin = torch.cos(angle), torch.sin(angle) / math.sqrt(3)
    along = (1 - cos) / 3
    same, following, preceding = cos + along, along - sin, along + sin
    rows = [same, following, preceding, preceding, same, following, following, preceding, same]
    return torch.stack(rows, dim=1).view(-1, 3, 3)


def recolour(images: Tensor, maps: Tensor, greys: Tensor, out: Tensor | None = None) -> Tensor:
    """Apply `colour_maps` to images [B, 3, H, W] in [0, 1], and clip; `out`, of their shape, may take the result."""
    offset = (images.mean(dim=(2, 3)) * greys).sum(dim=1).view(-1, 1, 1)
    colours = None if out is None else out.flatten(2)
    return torch.baddbmm(offset, maps, images.flatten(2), out=colours).clamp_(0, 1).view_as(images)
