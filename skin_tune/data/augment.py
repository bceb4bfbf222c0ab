"""Pixels to network input, a whole batch at a time and on the trial's own device."""

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ROTATION_DEGREES = 15.0
JITTER = 0.2
"""Brightness, contrast and saturation are each scaled by a factor in [1 - JITTER, 1 + JITTER]."""

# Mean and standard deviation of ImageNet's RGB channels, which torchvision's weights expect.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


_CPU_CHUNK_PIXELS = 1 << 16
"""Pixels worked on at a time on a CPU: few enough to stay in its cache, which doubles the pace."""


def network_input(
    pixels: Tensor,
    size: int,
    randoms: Tensor | None = None,
    chosen: Tensor | None = None,
    methods: Collection[str] = (),
) -> Tensor:
    """uint8 crops [B, H, W, 3] to normalised float32 [B, 3, size, size] on the same device.

    The draws `chosen` (bool [B]) are augmented by `methods` with their rows of `randoms` [B, 6]; the others, and all
    where `randoms` is None, are only resized.
    """
    chunk = max(1, _CPU_CHUNK_PIXELS // size**2) if pixels.device.type == "cpu" else len(pixels)
    parts = []
    for start in range(0, len(pixels), chunk):
        span = slice(start, start + chunk)
        images = resize(pixels[span], size)
        if randoms is not None and chosen is not None and methods:
            rows = chosen[span].nonzero(as_tuple=True)[0]
            images[rows] = augment(images[rows], randoms[span][rows], methods)
        parts.append(normalise(images))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def resize(pixels: Tensor, size: int) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, size, size] in [0, 1], anti-aliased."""
    images = pixels.permute(0, 3, 1, 2)
    if images.shape[-1] != size:
        # The uint8 kernel is several times faster than float, but exists on CPUs only.
        images = images if images.device.type == "cpu" else images.float()
        images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return images.to(dtype=torch.float32, memory_format=torch.contiguous_format).div_(255)


def normalise(images: Tensor) -> Tensor:
    """RGB in [0, 1] to the scale torchvision's networks were trained on."""
    mean = torch.tensor(_MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(_STD, device=images.device).view(1, 3, 1, 1)
    return (images - mean) / std


def augment(images: Tensor, randoms: Tensor, methods: Collection[str]) -> Tensor:
    """Augment float images [B, 3, H, W] in [0, 1], each by its own row of `randoms` [B, 6], uniform in [0, 1).

    `horizontal_flip` mirrors half of them, `rotation` turns by up to 15 degrees either way (what leaves the frame is
    filled by reflection), `color_jitter` scales brightness, contrast and saturation by up to 20 % either way.
    """
    if len(images) == 0:
        return images
    if "horizontal_flip" in methods or "rotation" in methods:
        grid = F.affine_grid(_flips_and_turns(randoms, methods), list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if "color_jitter" in methods:
        images = _jittered(images, randoms)
    return images


def _flips_and_turns(randoms: Tensor, methods: Collection[str]) -> Tensor:
    """Affine maps [B, 2, 3] from output to input coordinates."""
    zeros, ones = torch.zeros_like(randoms[:, 0]), torch.ones_like(randoms[:, 0])
    flip = torch.where(randoms[:, 0] < 0.5, -ones, ones) if "horizontal_flip" in methods else ones
    angle = zeros
    if "rotation" in methods:
        angle = (2 * randoms[:, 1] - 1) * math.radians(MAX_ROTATION_DEGREES)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([flip * cos, -flip * sin, zeros, sin, cos, zeros], dim=1).view(-1, 2, 3)


def _jittered(images: Tensor, randoms: Tensor) -> Tensor:
    """One affine colour map per image: brightness, then contrast about its mean grey, then saturation."""
    brightness, contrast, saturation = (1 + JITTER * (2 * randoms[:, 2:5] - 1)).unbind(dim=1)
    luma = torch.tensor(_LUMA, device=images.device)
    grey = brightness * torch.einsum("bc,c->b", images.mean(dim=(2, 3)), luma)
    keep = torch.eye(3, device=images.device)
    to_grey = luma.expand(3, 3)
    saturate = saturation.view(-1, 1, 1) * keep + (1 - saturation).view(-1, 1, 1) * to_grey
    matrix = (brightness * contrast).view(-1, 1, 1) * saturate
    offset = ((1 - contrast) * grey).view(-1, 1, 1)
    # A grey offset passes through the saturation map unchanged: its rows sum to one.
    return torch.baddbmm(offset, matrix, images.flatten(2)).clamp_(0, 1).view_as(images)
