"""Pixels to network input, a whole batch at a time and on the trial's own device."""

from collections.abc import Collection
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from skin_tune.data.loading.blur import blur, blur_kernels
from skin_tune.data.loading.colour import COLOURING, colour_maps, recolour
from skin_tune.data.loading.erasing import erased
from skin_tune.data.loading.geometry import MOVING, move, places, side_to_read

# Mean and standard deviation of ImageNet's RGB channels, which torchvision's weights expect.
_MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
_STD = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)

_CPU_CHUNK_PIXELS = 2**17
"""Pixels worked on at a time on a CPU: few enough to stay in its cache, which doubles the pace."""


def network_input(
    pixels: Tensor,
    size: int,
    randoms: Tensor | None = None,
    chosen: Tensor | None = None,
    methods: Collection[str] = (),
    strength: float = 1.0,
) -> Tensor:
    """uint8 crops [B, H, W, 3] to normalised float32 [B, 3, size, size] on the same device.

    The draws `chosen` (bool [B], on the CPU) are augmented as `augment` does it, with their rows of `randoms`
    [B, RANDOMS_PER_DRAW]; the others, and all where `randoms` is None, are only resized.
    """
    methods = effective(methods, strength)
    chunk = max(1, _CPU_CHUNK_PIXELS // size**2) if pixels.device.type == "cpu" else len(pixels)
    drawn = None if randoms is None or chosen is None or not methods else _drawn(randoms, methods, strength, size)
    side = side_to_read(pixels.shape[1], size, methods)
    inputs = torch.empty((len(pixels), 3, size, size), device=pixels.device)
    for start in range(0, len(pixels), chunk):
        span = slice(start, start + chunk)
        if drawn is None or chosen is None:
            images = resize(pixels[span], size)
        else:
            images = _augment_some(pixels[span], side, drawn.of(span), chosen[span], out=inputs[span])
        normalise(images, out=inputs[span])
    return inputs


def effective(methods: Collection[str], strength: float) -> Collection[str]:
    """Those of `methods` that change an image at this strength: at 0 a flip alone."""
    return methods if strength > 0 else [method for method in methods if method == "horizontal_flip"]


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


def augment(images: Tensor, randoms: Tensor, methods: Collection[str], strength: float = 1.0) -> Tensor:
    """Augment float images [B, 3, S, S] in [0, 1], each by its own row of `randoms`, uniform in [0, 1).

    `randoms` [B, RANDOMS_PER_DRAW] has the columns of `randoms.Column`. The `strength` s scales the range of every
    method but the flip, which it leaves alone:

    - `horizontal_flip` mirrors half of them.
    - `rotation` turns by up to 15 s degrees either way (180 at most); what leaves the frame is filled by reflection.
    - `random_resized_crop` keeps an area uniform in [1 - 0.5 s, 1] (never below 0.08), of an aspect ratio log-uniform
      in [(3/4)^s, (4/3)^s] where that fits.
    - `translation` shifts by up to 5 s % of the side, along both axes (50 % at most).
    - `color_jitter` scales brightness, contrast and saturation by up to 20 s % either way.
    - `hue` turns colours about the grey axis by up to 18 s degrees either way (180 at most).
    - `blur` blurs half of them, by a Gaussian of a standard deviation of up to s / 224 of the side.
    - `erasing` sets a rectangle of half of them, of 2 s to 33 s % of the area (80 % at most), to ImageNet's mean
      colour, the zero of the network's input (RE-M of Zhong et al. 2020).
    """
    methods = effective(methods, strength)
    return _augmented(images, _drawn(randoms, methods, strength, images.shape[-1]))


class _Drawn(NamedTuple):
    """The transforms drawn for each of B images; None where no method asks for one."""

    places: Tensor | None
    """See `geometry.places`."""
    colours: Tensor | None
    greys: Tensor | None
    """Both: see `colour.colour_maps`."""
    kernels: Tensor | None
    """See `blur.blur_kernels`."""
    erased: Tensor | None
    """See `erasing.erased`."""

    def of(self, rows: slice | Tensor) -> "_Drawn":
        return _Drawn(*(part if part is None else part[rows] for part in self))


def _drawn(randoms: Tensor, methods: Collection[str], strength: float, size: int) -> _Drawn:
    colours, greys = (None, None) if COLOURING.isdisjoint(methods) else colour_maps(randoms, methods, strength)
    return _Drawn(
        places=None if MOVING.isdisjoint(methods) else places(randoms, methods, strength, size),
        colours=colours,
        greys=greys,
        kernels=blur_kernels(randoms, strength, size) if "blur" in methods else None,
        erased=erased(randoms, strength, size) if "erasing" in methods else None,
    )


def _augment_some(pixels: Tensor, side: int, drawn: _Drawn, chosen: Tensor, out: Tensor) -> Tensor:
    """`pixels` as images of the size of `out`, which may be used for them; those `chosen` are augmented from `side`."""
    if chosen.all():
        return _augmented(resize(pixels, side), drawn, out)
    rows, others = (which.nonzero(as_tuple=True)[0].to(pixels.device, non_blocking=True) for which in (chosen, ~chosen))
    out.index_copy_(0, others, resize(pixels[others], out.shape[-1]))
    return out.index_copy_(0, rows, _augmented(resize(pixels[rows], side), drawn.of(rows))) if len(rows) else out


def _augmented(images: Tensor, drawn: _Drawn, out: Tensor | None = None) -> Tensor:
    if drawn.places is not None:
        images = move(images, drawn.places)
    if drawn.colours is not None and drawn.greys is not None:
        images = recolour(images, drawn.colours, drawn.greys, out)
    if drawn.kernels is not None:
        images = blur(images, drawn.kernels)
    if drawn.erased is not None:
        images = torch.where(drawn.erased, _MEAN.to(images.device, non_blocking=True), images)
    return images
