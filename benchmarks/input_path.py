"""Crops in memory to network input on one core: whole batches of ours against torchvision, one image at a time."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2

from benchmarks.rows import Row
from skin_tune.config import TrialConfig
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.loading.prefetch import prefetched

_CROPS = 512
_BATCH = 32
_ROUNDS = 15


def measure() -> list[Row]:
    """Images per second of gathering, resizing, augmenting (all three methods) and normalising."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for sides in ((256, 224, 3.5), (72, 64, 10.0)) for row in _measure(*sides)]
    finally:
        torch.set_num_threads(threads)


def _measure(side: int, size: int, bar: float) -> list[Row]:
    crops = np.random.default_rng(0).integers(0, 256, (_CROPS, side, side, 3), dtype=np.uint8)
    rounds = [(_pace(lambda: _ours(crops, size)), _pace(lambda: _torchvision(crops, size))) for _ in range(_ROUNDS)]
    ratio = statistics.median(ours / theirs for ours, theirs in rounds)
    what = f"input path {side} -> {size} px, one core"
    return [
        Row(f"{what} / torchvision v2 image by image", ratio, "ratio", f">= {bar:g}", ratio >= bar),
        Row(what, statistics.median(ours for ours, _ in rounds), "images/s", "-", True),
    ]


def _pace(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    images = work()
    return images / (time.perf_counter() - started)


def _ours(crops: np.ndarray, size: int) -> int:
    order = np.random.default_rng(1).permutation(len(crops))
    randoms = torch.rand(_BATCH, 6)
    chosen = torch.ones(_BATCH, dtype=torch.bool)
    for pixels in prefetched(crops, np.split(order, len(crops) // _BATCH), torch.device("cpu")):
        network_input(pixels, size, randoms, chosen, TrialConfig.augmentation_methods)
    return len(crops)


def _torchvision(crops: np.ndarray, size: int) -> int:
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomRotation(15, InterpolationMode.BILINEAR),
            v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
            v2.Resize((size, size), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    order = np.random.default_rng(1).permutation(len(crops))[: len(crops) // 4]
    for rows in np.split(order, len(order) // _BATCH):
        torch.stack([transform(torch.from_numpy(crops[row]).permute(2, 0, 1)) for row in rows])
    return len(order)
