"""Pixels to network input, a whole batch at a time and on the trial's own device."""

import math
from collections.abc import Collection
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ROTATION_DEGREES = 15.0
JITTER = 0.2
"""Brightness, contrast and saturation are each scaled by a factor in [1 - JITTER, 1 + JITTER]."""

# Mean and standard deviation of ImageNet's RGB channels, which torchvision's weights expect.
_MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
_STD = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
_LUMA = torch.tensor((0.299, 0.587, 0.114))  # ITU-R BT.601


_CPU_CHUNK_PIXELS = 2**17
"""Pixels worked on at a time on a CPU: few enough to stay in its cache, which doubles the pace."""

_NEAR = 1.25
"""Up to so many times the input's side a crop is turned and resized in one step: nothing is small enough to alias."""


def network_input(
    pixels: Tensor,
    size: int,
    randoms: Tensor | None = None,
    chosen: Tensor | None = None,
    methods: Collection[str] = (),
) -> Tensor:
    """uint8 crops [B, H, W, 3] to normalised float32 [B, 3, size, size] on the same device.

    The draws `chosen` (bool [B], on the CPU) are augmented by `methods` with their rows of `randoms` [B, 6]; the
    others, and all where `randoms` is None, are only resized.
    """
    chunk = max(1, _CPU_CHUNK_PIXELS // size**2) if pixels.device.type == "cpu" else len(pixels)
    drawn = None if randoms is None or chosen is None or not methods else _drawn(randoms, methods, size)
    side = pixels.shape[1] if "rotation" in methods and pixels.shape[1] <= _NEAR * size else size
    inputs = torch.empty((len(pixels), 3, size, size), device=pixels.device)
    for start in range(0, len(pixels), chunk):
        span = slice(start, start + chunk)
        if drawn is None or chosen is None:
            images = resize(pixels[span], size)
        else:
            images = _augment_some(pixels[span], side, drawn.of(span), chosen[span], out=inputs[span])
        normalise(images, out=inputs[span])
    return inputs


def resize(pixels: Tensor, size: int) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, size, size] in [0, 1], anti-aliased, channels last in memory."""
    on_cpu = pixels.device.type == "cpu"
    images = pixels.permute(0, 3, 1, 2)
    if not on_cpu:
        images = images / 255  # the uint8 kernel below is several times faster than float, but exists on CPUs only
    if images.shape[-1] != size:
        images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return images.to(torch.float32).div_(255) if on_cpu else images


def normalise(images: Tensor, out: Tensor | None = None) -> Tensor:
    """RGB in [0, 1] to the scale torchvision's networks were trained on."""
    mean, std = (values.to(images.device, non_blocking=True) for values in (_MEAN, _STD))
    return torch.sub(images, mean, out=out).div_(std)


def augment(images: Tensor, randoms: Tensor, methods: Collection[str]) -> Tensor:
    """Augment float images [B, 3, H, W] in [0, 1], each by its own row of `randoms` [B, 6], uniform in [0, 1).

    `horizontal_flip` mirrors half of them, `rotation` turns by up to 15 degrees either way (what leaves the frame is
    filled by reflection), `color_jitter` scales brightness, contrast and saturation by up to 20 % either way.
    """
    return _augmented(images, _drawn(randoms, methods, images.shape[-1]))


class _Drawn(NamedTuple):
    """The transforms drawn for each of B images."""

    places: Tensor | None
    """Complex [B, 2, size]: where an output pixel is read, as x + iy, is a term of its column plus one of its row."""
    colours: Tensor | None
    """Linear maps [B, 3, 3] of RGB."""
    greys: Tensor | None
    """Offset of every channel, as weights [B, 3] of the image's mean red, green and blue."""

    def of(self, rows: slice | Tensor) -> "_Drawn":
        return _Drawn(*(part if part is None else part[rows] for part in self))


def _drawn(randoms: Tensor, methods: Collection[str], size: int) -> _Drawn:
    moved = "horizontal_flip" in methods or "rotation" in methods
    colours, greys = _colours(randoms) if "color_jitter" in methods else (None, None)
    return _Drawn(_places(randoms, methods, size) if moved else None, colours, greys)


def _places(randoms: Tensor, methods: Collection[str], size: int) -> Tensor:
    """Terms of coordinates in [-1, 1], whose origin is the middle of the image."""
    flip, angle = torch.ones_like(randoms[:, 0]), torch.zeros_like(randoms[:, 0])
    if "horizontal_flip" in methods:
        flip = torch.where(randoms[:, 0] < 0.5, -1.0, 1.0)
    if "rotation" in methods:
        angle = (2 * randoms[:, 1] - 1) * math.radians(MAX_ROTATION_DEGREES)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turns = torch.stack([torch.complex(flip * cos, sin), torch.complex(-flip * sin, cos)], dim=1)
    middles = torch.linspace(1 / size - 1, 1 - 1 / size, size, device=randoms.device)
    return turns[:, :, None] * middles


def _colours(randoms: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness, then contrast about the image's mean grey, then saturation, as one map."""
    brightness, contrast, saturation = (1 - JITTER + 2 * JITTER * randoms[:, 2:5]).view(-1, 3, 1, 1).unbind(dim=1)
    luma = _LUMA.to(randoms.device, non_blocking=True)
    saturate = torch.lerp(luma.expand(3, 3), torch.eye(3, device=randoms.device), saturation)
    # A grey offset passes through the saturation map unchanged: its rows sum to one.
    return brightness * contrast * saturate, ((1 - contrast) * brightness).squeeze(2) * luma


def _augment_some(pixels: Tensor, side: int, drawn: _Drawn, chosen: Tensor, out: Tensor) -> Tensor:
    """`pixels` as images of the size of `out`, which may be used for them; those `chosen` are augmented from `side`."""
    if chosen.all():
        return _augmented(resize(pixels, side), drawn, out)
    rows, others = (which.nonzero(as_tuple=True)[0].to(pixels.device, non_blocking=True) for which in (chosen, ~chosen))
    out.index_copy_(0, others, resize(pixels[others], out.shape[-1]))
    return out.index_copy_(0, rows, _augmented(resize(pixels[rows], side), drawn.of(rows))) if len(rows) else out


def _augmented(images: Tensor, drawn: _Drawn, out: Tensor | None = None) -> Tensor:
    if drawn.places is not None:
        grid = _grid(drawn.places)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if drawn.colours is not None and drawn.greys is not None:
        offset = (images.mean(dim=(2, 3)) * drawn.greys).sum(dim=1).view(-1, 1, 1)
        colours = None if out is None else out.flatten(2)
        images = torch.baddbmm(offset, drawn.colours, images.flatten(2), out=colours).clamp_(0, 1).view_as(images)
    return images


def _grid(places: Tensor) -> Tensor:
    """Source coordinates of each output pixel [B, size, size, 2]; on a CPU thirty times faster than affine_grid."""
    grid = torch.view_as_real(places[:, 0, None, :] + places[:, 1, :, None])
    # What is beyond an edge is read as far inside of it, x as 2 * edge - x: half as dear as grid_sample's reflection.
    return torch.lerp(grid, grid.clamp(-1, 1), 2.0, out=grid)
