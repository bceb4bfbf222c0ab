"""Trains every config of the grid on a data set, and keeps what each epoch predicts."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.curves.grid import configs
from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.storage.files import atomic_write
from skin_tune.training.trainer import Trainer, TrainingDivergedError

SPLITS = ("val", "test")


def measure(pack: Pack, folder: Path) -> None:
    """Write ``NUMBER.npz`` of each config into `folder`, but for those that are there: half a minute of a core each."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for number, config in enumerate(configs()):
        path = folder / f"{number}.npz"
        if not path.exists():
            predictions = _predictions(config, pack)
            with atomic_write(path) as unfinished, unfinished.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **predictions)


def _predictions(config: TrialConfig, pack: Pack) -> dict[str, npt.NDArray[np.float32]]:
    """``val`` and ``test``, adjusted probabilities [epochs, N, K]; fewer epochs where training diverged."""
    trainer = Trainer(config, pack, weights={})
    kept: dict[str, list[npt.NDArray[np.float32]]] = {split: [] for split in SPLITS}
    while not trainer.finished:
        try:
            trainer.run_epoch()
        except TrainingDivergedError:
            break
        for split in SPLITS:
            evaluation = trainer.validation if split == "val" else trainer.evaluate(split)
            assert evaluation is not None
            assert evaluation.adjusted_probabilities is not None
            kept[split].append(evaluation.adjusted_probabilities)
    return {split: np.array(parts, np.float32) for split, parts in kept.items()}
