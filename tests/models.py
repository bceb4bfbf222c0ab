"""Model files to use, made in a moment: a small ResNet-18 whose grades differ from image to image."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.training.checkpoint import save_checkpoint
from skin_tune.training.trainer import Trainer


def write_model(
    path: Path, pack: Pack, *, metric: str = "val_balanced_acc", without: tuple[str, ...] = (), **changes: Any
) -> Path:
    """A `best.pt` for `pack`, never trained; `without` leaves out entries of the file, `changes` are of its config."""
    values = {"backbone": "resnet18", "weights": "none", "image_size": pack.info.size, "batch_size": 8, **changes}
    trainer = Trainer(TrialConfig.from_mapping(values), pack, metric=metric)
    head = trainer.network.fc[1]
    with torch.no_grad():
        head.weight.mul_(30)  # fresh weights give all images nearly the same probabilities
        logits = np.log(trainer.evaluate("val").probabilities)
        head.bias.sub_(torch.from_numpy(logits.mean(axis=0)))  # and the same grade
    state = {name: value for name, value in trainer.model_state().items() if name not in without}
    save_checkpoint(path, state)
    return path
