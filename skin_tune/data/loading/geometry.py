"""Flip, rotation, crop and translation: one affine map for each image, read in one step."""

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from skin_tune.data.loading.randoms import Column
from skin_tune.data.loading.rectangles import draw_rectangles

MAX_ROTATION_DEGREES = 15.0
MAX_TRANSLATION = 0.05
"""Share of the side."""
SMALLEST_CROP = 0.5
"""Share of the area at strength 1. Perez et al. (2018) take 0.4 for skin lesions, torchvision 0.08 for ImageNet."""
SMALLEST_CROP_AT_ALL = 0.08
LARGEST_CROP_RATIO = 4 / 3
"""Width over height, or the reverse, as torchvision's RandomResizedCrop."""

MOVING = frozenset({"horizontal_flip", "rotation", "random_resized_crop", "translation"})
_NEAR = 1.25
"""Up to so many times the input's side an image is moved and resized in one step: nothing is small enough to alias."""


def side_to_read(side: int, size: int, methods: Collection[str]) -> int:
    """Side that images of `side` px are resized to before they are moved and read at `size` px.

    A crop is read from up to 1.25 times `size`: half the area then still has 0.88 of the input's resolution, and the
    whole does not alias.
    """
    if MOVING.isdisjoint(methods) or MOVING.intersection(methods) == {"horizontal_flip"}:
        return size
    if side <= _NEAR * size:
        return side
    return int(_NEAR * size) if "random_resized_crop" in methods else size


def places(randoms: Tensor, methods: Collection[str], strength: float, size: int) -> Tensor:
    """Terms of where each output pixel is read: complex [B, 2, size], x + iy is one of its column plus one of its row.

    Coordinates are in [-1, 1], with their origin in the middle of the image. The image is cropped, then flipped, turned
    and shifted, all at once: what a turn or shift brings into a crop is what lies there in the whole image.
    """
    flip, angle = torch.ones_like(randoms[:, 0]), torch.zeros_like(randoms[:, 0])
    if "horizontal_flip" in methods:
        flip = torch.where(randoms[:, Column.FLIP] < 0.5, -1.0, 1.0)
    if "rotation" in methods:
        largest = math.radians(min(MAX_ROTATION_DEGREES * strength, 180.0))
        angle = (2 * randoms[:, Column.ANGLE] - 1) * largest
    cos, sin = torch.cos(angle), torch.sin(angle)
    turns = torch.stack([torch.complex(flip * cos, sin), torch.complex(-flip * sin, cos)], dim=1)
    middles = torch.linspace(1 / size - 1, 1 - 1 / size, size, device=randoms.device)
    if "translation" in methods:
        largest = min(2 * MAX_TRANSLATION * strength, 1.0)
        middles = middles - (2 * randoms[:, Column.SHIFT_X : Column.SHIFT_Y + 1, None] - 1) * largest
    terms = turns[:, :, None] * middles
    return _within_crop(terms, randoms, strength) if "random_resized_crop" in methods else terms


def _within_crop(terms: Tensor, randoms: Tensor, strength: float) -> Tensor:
    smallest = max(1 - (1 - SMALLEST_CROP) * strength, SMALLEST_CROP_AT_ALL)
    area = 1 - (1 - smallest) * randoms[:, Column.CROP_AREA]
    largest_ratio = LARGEST_CROP_RATIO ** min(strength, 10.0)
    crop = draw_rectangles(area, largest_ratio, randoms[:, Column.CROP_SHAPE : Column.CROP_Y + 1])
    x, y = 2 * crop.left + crop.width - 1, 2 * crop.top + crop.height - 1
    cropped = torch.complex(terms.real * crop.width[:, None, None], terms.imag * crop.height[:, None, None])
    cropped[:, 0] += torch.complex(x, y)[:, None]
    return cropped


def move(images: Tensor, terms: Tensor) -> Tensor:
    """Read images [B, 3, H, W] at `places`: [B, 3, size, size]. What lies beyond an edge is the image reflected."""
    return F.grid_sample(images, _grid(terms), mode="bilinear", padding_mode="border", align_corners=False)


def _grid(terms: Tensor) -> Tensor:
    """Source coordinates of each output pixel [B, size, size, 2]; on a CPU thirty times faster than affine_grid."""
    grid = torch.view_as_real(terms[:, 0, None, :] + terms[:, 1, :, None])
    # What is beyond an edge is read as far inside of it, x as 2 * edge - x: half as dear as grid_sample's reflection.
    return torch.lerp(grid, grid.clamp(-1, 1), 2.0, out=grid)
