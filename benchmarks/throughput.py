"""Training pace with oversampling and augmentation on, against the same model stepping on one batch in memory.

On a GPU, too, what `torch.compile` would give.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.rows import Row, noise_pack
from skin_tune.config import TrialConfig
from skin_tune.model.losses import build_loss
from skin_tune.model.network import build_network
from skin_tune.training.device import autocast
from skin_tune.training.trainer import Trainer

_ROUNDS = 5
_CLASSES = 4


@dataclass(frozen=True)
class Setting:
    """What is trained; one epoch of `images` a round."""

    backbone: str
    image_size: int
    pack_size: int
    batch_size: int
    images: int
    device: str = "cpu"

    def __str__(self) -> str:
        on = f", {torch.cuda.get_device_name()}" if self.device == "cuda" else ""
        return f"{self.backbone.replace('resnet', 'ResNet-')} {self.image_size} px{on}"


_ON_CPU = (Setting("resnet18", 64, 72, 32, 640), Setting("resnet50", 224, 256, 8, 48))
_ON_GPU = Setting("resnet50", 224, 256, 256, 25_600, "cuda")
_PUBLISHED = 2470
"""Images per second of ResNet-50 at 224 px on an A100 with a tuned input pipeline, as published by NVIDIA."""


def measure() -> list[Row]:
    """On all cores, and on a GPU in bfloat16; an epoch and the bare step alternate, to meet the same machine."""
    rows = [row for setting in _ON_CPU for row in _measure(setting)]
    if not torch.cuda.is_available():
        print("no GPU here: its rows are left out")
        return rows
    published = Row("training pace published for an A100, ResNet-50 224 px", _PUBLISHED, "images/s", "-", True)
    return [*rows, *_measure(_ON_GPU), published, *_compiled(_ON_GPU)]


def _config(setting: Setting) -> TrialConfig:
    return TrialConfig(
        backbone=setting.backbone,
        weights="none",
        image_size=setting.image_size,
        batch_size=setting.batch_size,
        oversample="balanced",
        target_samples_per_class=setting.images // _CLASSES,
        augment="all",
        epochs=99,
    )


def _measure(setting: Setting) -> list[Row]:
    config = _config(setting)
    with tempfile.TemporaryDirectory() as folder:
        train = [setting.batch_size * share for share in (1, 3, 2, 1)]
        counts = {"train": train, "val": [1] * _CLASSES, "test": [1] * _CLASSES}
        trainer = Trainer(config, noise_pack(Path(folder), counts, setting.pack_size), device=setting.device)
        bare = _BareStep(config, train, torch.device(setting.device))
        trainer.run_epoch()
        bare.pace(setting.batch_size)
        ratios, paces = [], []
        for _ in range(_ROUNDS):
            trained = trainer.run_epoch()["images_per_second"]
            ratios.append(trained / bare.pace(setting.images))
            paces.append(trained)
    ratio = statistics.median(ratios)
    return [
        Row(f"training pace / one fixed batch, {setting}", ratio, "ratio", ">= 0.97", ratio >= 0.97),
        Row(f"training pace, {setting}", statistics.median(paces), "images/s", "-", True),
    ]


def _compiled(setting: Setting) -> list[Row]:
    """What `torch.compile` costs once and gives at each step, on one fixed batch."""
    config, counts, device = _config(setting), [setting.batch_size] * _CLASSES, torch.device(setting.device)
    plain, compiled = (_BareStep(config, counts, device, compiled=how) for how in (False, True))
    plain.pace(setting.batch_size)
    started = time.perf_counter()
    compiled.pace(setting.batch_size)
    waited = time.perf_counter() - started
    before, after = [], []
    for _ in range(_ROUNDS):
        before.append(plain.pace(setting.images))
        after.append(compiled.pace(setting.images))
    slow, fast = statistics.median(before), statistics.median(after)
    rows = [
        Row(f"pace with torch.compile / without, {setting}", fast / slow, "ratio", "-", True),
        Row(f"first step with torch.compile, {setting}", waited, "s", "-", True),
    ]
    if fast > slow:
        paid = waited / (1 / slow - 1 / fast)
        rows.append(Row(f"images until torch.compile has paid, {setting}", paid, "images", "-", True))
    return rows


class _BareStep:
    """Forward, loss, backward, clip, update on the same images."""

    def __init__(self, config: TrialConfig, counts: list[int], device: torch.device, *, compiled: bool = False):
        self._config, self._device = config, device
        network = build_network(config, _CLASSES).to(device).to(memory_format=torch.channels_last).train()
        if compiled:
            network.compile()
        self._model = network
        self._loss = build_loss(config, counts).to(device)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), fused=True)
        side = config.image_size
        batch = torch.rand(config.batch_size, 3, side, side, device=device)
        self._batch = batch.to(memory_format=torch.channels_last)
        self._labels = torch.arange(config.batch_size, device=device) % _CLASSES

    def pace(self, images: int) -> float:
        """Images per second over so many."""
        steps = images // len(self._batch)
        started = time.perf_counter()
        for _ in range(steps):
            with autocast(self._config, self._device):
                logits = self._model(self._batch)
            self._loss(logits, self._labels).mean().backward()
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), 5.0)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return steps * len(self._batch) / (time.perf_counter() - started)
