"""Training pace with oversampling and augmentation on, against the same model stepping on one batch in memory."""

import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.rows import Row, noise_pack
from skin_tune.config import TrialConfig
from skin_tune.training.trainer import Trainer

_ROUNDS = 5


def measure() -> list[Row]:
    """ResNet-18 at 64 px from crops of 72 px, all cores; the two alternate so that both meet the same machine."""
    config = TrialConfig(
        backbone="resnet18",
        weights="none",
        image_size=64,
        batch_size=32,
        oversample="balanced",
        augment="all",
        epochs=99,
    )
    with tempfile.TemporaryDirectory() as folder:
        pack = noise_pack(Path(folder), {"train": [20, 160, 120, 80], "val": [8] * 4, "test": [8] * 4}, 72)
        trainer = Trainer(config, pack)
        trainer.run_epoch()
        ratios, paces = [], []
        for _ in range(_ROUNDS):
            trained = trainer.run_epoch()["images_per_second"]
            ratios.append(trained / _fixed_batch_pace(config, int(trainer.targets.sum())))
            paces.append(trained)
    ratio = statistics.median(ratios)
    return [
        Row("training pace / one fixed batch, ResNet-18 64 px", ratio, "ratio", ">= 0.95", ratio >= 0.95),
        Row("training pace, ResNet-18 64 px", statistics.median(paces), "images/s", "-", True),
    ]


def _fixed_batch_pace(config: TrialConfig, images: int) -> float:
    """Images per second of the bare step: forward, loss, backward, clip, update on the same 32 images."""
    model, loss_of, optimizer = _bare(config)
    batch = torch.rand(config.batch_size, 3, 64, 64).to(memory_format=torch.channels_last)
    labels = torch.arange(config.batch_size) % 4
    steps = images // config.batch_size
    started = time.perf_counter()
    for _ in range(steps):
        loss_of(model(batch), labels).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return steps * config.batch_size / (time.perf_counter() - started)


def _bare(config: TrialConfig) -> tuple[torch.nn.Module, torch.nn.Module, torch.optim.Optimizer]:
    from skin_tune.model.losses import build_loss
    from skin_tune.model.network import build_network

    model = build_network(config, 4).to(memory_format=torch.channels_last).train()
    return model, build_loss(config, [20, 160, 120, 80]), torch.optim.AdamW(model.parameters(), fused=True)
