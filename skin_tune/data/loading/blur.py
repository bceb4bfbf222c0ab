"""Gaussian blur, of a width of its own for each image of a batch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from skin_tune.data.loading.randoms import Column

MAX_SIGMA = 1 / 224
"""Share of the side. SimCLR takes up to twice that (Chen et al. 2020), for classes that no fine line tells apart."""
_SIGMAS = 3
"""Where the kernel is cut off."""


def blur_kernels(randoms: Tensor, strength: float, size: int) -> Tensor:
    """Kernels [B, 2 * radius + 1], each of sum 1: half of them leave an image of `size` px sharp, as in SimCLR.

    The others have a standard deviation uniform in [0, MAX_SIGMA * strength * size] px.
    """
    largest = MAX_SIGMA * strength * size
    sigmas = (2 * randoms[:, Column.BLUR] - 1).clamp_(min=1e-3) * largest
    radius = min(math.ceil(_SIGMAS * largest), size - 1)
    return gaussian_kernels(sigmas, radius)


def gaussian_kernels(sigmas: Tensor, radius: int) -> Tensor:
    """Samples [B, 2 * radius + 1] of normal densities of `sigmas` [B] > 0, scaled to a sum of 1 as torchvision does."""
    at = torch.arange(-radius, radius + 1, device=sigmas.device)
    kernels = torch.exp(-0.5 * (at / sigmas[:, None]) ** 2)
    return kernels / kernels.sum(dim=1, keepdim=True)


def blur(images: Tensor, kernels: Tensor) -> Tensor:
    """Convolve images [B, 3, H, W] with `kernels` along both axes; an edge reflects, as torchvision's does.

    A sum of shifted images: grouped convolutions take several times as long on a CPU.
    """
    radius, (height, width) = kernels.shape[1] // 2, images.shape[2:]
    padded = F.pad(images, (radius, radius, radius, radius), mode="reflect")
    weights = kernels.t()[:, :, None, None, None]
    rows = padded[..., :width] * weights[0]
    for shift, weight in enumerate(weights[1:], start=1):
        rows.addcmul_(padded[..., shift : shift + width], weight)
    blurred = rows[..., :height, :] * weights[0]
    for shift, weight in enumerate(weights[1:], start=1):
        blurred.addcmul_(rows[..., shift : shift + height, :], weight)
    return blurred
