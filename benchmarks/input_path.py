"""Crops in memory to network input on one core: whole batches of ours against torchvision, one image at a time."""

import math
import statistics
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2

from benchmarks.rows import Row
from skin_tune.config import AUGMENTATION_METHODS
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.loading.randoms import RANDOMS_PER_DRAW
from skin_tune.data.pack.images import Images

_CROPS = 512
_BATCH = 32
_ROUNDS = 9
_THREE = ("horizontal_flip", "rotation", "color_jitter")
_NEW = tuple(method for method in AUGMENTATION_METHODS if method not in _THREE)


def measure() -> list[Row]:
    """Images per second of gathering, resizing, augmenting and normalising.

    First by flip, rotation and colour jitter, then by all methods, then by these three and one of the others.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for sides in ((256, 224, 3.5), (72, 64, 10.0)) for row in _measure(*sides)]
    finally:
        torch.set_num_threads(threads)


def _measure(side: int, size: int, bar: float) -> list[Row]:
    crops = np.random.default_rng(0).integers(0, 256, (_CROPS, side, side, 3), dtype=np.uint8)
    what = f"input path {side} -> {size} px, one core"
    ratio, pace = _ratio_and_pace(crops, size, _THREE)
    rows = [
        Row(f"{what} / torchvision v2 image by image", ratio, "ratio", f">= {bar:g}", ratio >= bar),
        Row(what, pace, "images/s", "-", True),
    ]
    for name, methods in {"all methods": AUGMENTATION_METHODS, **{name: (*_THREE, name) for name in _NEW}}.items():
        ratio, pace = _ratio_and_pace(crops, size, methods)
        rows.append(Row(f"- with {name} / torchvision v2, {side} -> {size} px", ratio, "ratio", ">= 3", ratio >= 3))
        rows.append(Row(f"- with {name}, {side} -> {size} px", pace, "images/s", "-", True))
    return rows


def _ratio_and_pace(crops: np.ndarray, size: int, methods: Collection[str]) -> tuple[float, float]:
    theirs = _transform(size, methods)
    rounds = [
        (_pace(lambda: _ours(crops, size, methods)), _pace(lambda: _torchvision(crops, theirs))) for _ in range(_ROUNDS)
    ]
    return statistics.median(ours / other for ours, other in rounds), statistics.median(ours for ours, _ in rounds)


def _pace(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    images = work()
    return images / (time.perf_counter() - started)


def _ours(crops: np.ndarray, size: int, methods: Collection[str]) -> int:
    order = np.random.default_rng(1).permutation(len(crops))
    randoms = torch.rand(_BATCH, RANDOMS_PER_DRAW)
    chosen = torch.ones(_BATCH, dtype=torch.bool)
    for pixels in prefetched(Images(crops), np.split(order, len(crops) // _BATCH), torch.device("cpu")):
        network_input(pixels, size, randoms, chosen, methods)
    return len(crops)


def _torchvision(crops: np.ndarray, transform: Callable[[torch.Tensor], torch.Tensor]) -> int:
    order = np.random.default_rng(1).permutation(len(crops))[: len(crops) // 4]
    for rows in np.split(order, len(order) // _BATCH):
        torch.stack([transform(torch.from_numpy(crops[row]).permute(2, 0, 1)) for row in rows])
    return len(order)


def _transform(size: int, methods: Collection[str]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The same methods, over the same ranges."""
    bilinear = InterpolationMode.BILINEAR
    kernel = 2 * math.ceil(3 * size / 224) + 1
    blur = v2.RandomApply([v2.GaussianBlur(kernel, (1e-3, size / 224))], p=0.5)
    steps: dict[str, Any] = {
        "random_resized_crop": v2.RandomResizedCrop(size, scale=(0.5, 1.0), antialias=True),
        "horizontal_flip": v2.RandomHorizontalFlip(),
        "rotation": v2.RandomRotation(15, bilinear),
        "translation": v2.RandomAffine(0, translate=(0.05, 0.05), interpolation=bilinear),
        "color_jitter": v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
        "hue": v2.ColorJitter(hue=0.05),
        "resize": v2.Resize((size, size), antialias=True),
        "blur": blur,
        "float": v2.ToDtype(torch.float32, scale=True),
        "normalise": v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        "erasing": v2.RandomErasing(p=0.5),
    }
    always = {"resize", "float", "normalise"}
    return v2.Compose([step for name, step in steps.items() if name in always or name in methods])
