"""The batches of a training epoch: drawn, augmented and mixed, on the device."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from skin_tune.config import TrialConfig
from skin_tune.data.loading.augmentation import network_input
from skin_tune.data.loading.mixing import Mixer
from skin_tune.data.loading.oversampling import EpochPlan, batches
from skin_tune.data.loading.prefetch import prefetched
from skin_tune.data.pack.format import Pack


class Batch(NamedTuple):
    """One rank's share of a batch."""

    images: Tensor
    """float32 [B, 3, S, S], B the share of this rank."""
    labels: Tensor
    """int64 [B]"""
    share: float
    """Of its own label in each image; the rest is of the label before it. 1: not mixed."""
    draws: int
    """Size of the global batch, over all ranks."""
    share_of_epoch: float
    """At the middle of the batch, in (0, 1)."""


def training_batches(
    config: TrialConfig,
    pack: Pack,
    rows: npt.NDArray[np.int64],
    plan: EpochPlan,
    epoch: int,
    device: torch.device,
    *,
    rank: int = 0,
    world_size: int = 1,
    whole: bool = False,
) -> Iterator[Batch]:
    """This rank's share of the batches of `plan`, whose positions are places in `rows` of the pack.

    As many as can be are of `batch_size` where they are to be `whole`.
    """
    steps = batches(len(plan), config.batch_size, rank=rank, world_size=world_size, whole=whole)
    draws_per_step = [len(step) for step in batches(len(plan), config.batch_size, whole=whole)]
    rows_of_steps = [rows[plan.positions[step]] for step in steps]
    stream = prefetched(pack.images, rows_of_steps, device, pack.file.check)
    chosen = plan.added if config.augment == "added" else np.ones(len(plan), dtype=bool)
    methods, strength = config.augmentation_methods, config.augmentation_strength
    mixer = Mixer(config, epoch)
    for number, (step, pixels) in enumerate(zip(steps, stream, strict=True)):
        randoms = torch.from_numpy(plan.randoms[step]).to(device, non_blocking=True)
        augmented = torch.from_numpy(chosen[step])
        images = network_input(pixels, config.image_size, randoms, augmented, methods, strength)
        yield Batch(
            share=mixer.mix(images),
            images=images,
            labels=torch.from_numpy(pack.labels[rows_of_steps[number]]).to(device, non_blocking=True),
            draws=draws_per_step[number],
            share_of_epoch=(number + 0.5) / len(steps),
        )
