"""Rectangles inside an image, of a drawn area, shape and place."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Rectangles(NamedTuple):
    """One rectangle for each of B images; all [B], as shares of the image's side."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor


def draw_rectangles(area: Tensor, largest_ratio: float, randoms: Tensor) -> Rectangles:
    """Rectangles of `area` [B] in (0, 1], whose shape and place are drawn by `randoms` [B, 3], uniform in [0, 1).

    Width over height is log-uniform in [1 / `largest_ratio`, `largest_ratio`], or in that part of it where a rectangle
    of this area fits into the image: torchvision's RandomResizedCrop draws again until one fits, which a batch cannot.
    The place, across and down, is uniform over all where the rectangle lies inside.
    """
    shape, across, down = randoms.unbind(dim=1)
    largest_log = torch.log(area).neg_().clamp_(max=math.log(largest_ratio))
    stretch = torch.exp((shape - 0.5) * largest_log)
    side = area.sqrt()
    width, height = (side * stretch).clamp_(max=1), (side / stretch).clamp_(max=1)
    return Rectangles(across * (1 - width), down * (1 - height), width, height)
