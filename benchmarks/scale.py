"""What the driver spends on many trials that do next to nothing: our records against none, and growth."""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ray import tune
from ray.tune import Callback

from benchmarks.rows import Row, noise_pack, small_config, small_space
from skin_tune.tuning.experiment import tune_run as run
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import run_experiment

_EPOCHS = 5
_SHORT = 0.02
"""Seconds of an epoch that takes next to no time, but some: a real one takes a hundred times as long."""
_CONFIG = small_config(image_size=16, batch_size=4, epochs=_EPOCHS)


class Simulated(tune.Trainable):
    """Reports what a trial reports, and does nothing else."""

    def setup(self, config: dict[str, Any], seconds: float) -> None:
        self._epoch = 0
        self._seconds = seconds

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._epoch = 0
        return True

    def step(self) -> dict[str, Any]:
        self._epoch += 1
        time.sleep(self._seconds)
        score = hash((self.config["learning_rate"], self._epoch)) % 1000 / 1000
        names = ("train_loss", "train_acc", "val_loss", "val_acc", "val_balanced_acc", "val_macro_f1", "val_mae")
        return {
            **dict.fromkeys(names, score),
            "epoch": self._epoch,
            "learning_rate": 0.1,
            "epoch_seconds": 1.0,
            "images_per_second": 100.0,
            "best_epoch": self._epoch,
            "best_val_balanced_acc": score,
            "checkpoint": "best.pt",
            "hardware": "none",
            "done": self._epoch == _EPOCHS,
        }

    def save_checkpoint(self, folder: str) -> None:
        pass


class Silent(Callback):
    """Stands for the store, wandb and the progress line."""

    def __init__(self, *arguments: Any):
        pass

    def close(self) -> None:
        pass


def measure(trials: int = 1000, growth: int = 10_000) -> list[Row]:
    """Ratios of seconds, each the least of three runs; the growth takes ten minutes."""
    name = f"{trials} simulated trials of {_EPOCHS} epochs"
    rows = []
    for epoch in (_SHORT, 0.0):
        runs = [
            (_seconds(trials, epoch)[0], _seconds(trials, epoch, wandb="disabled")[0], _silent(trials, epoch))
            for _ in range(3)
        ]
        recorded, stored, silent = map(min, zip(*runs, strict=True))
        whole, ours = recorded / silent, stored / silent
        of = f"{name} of {1000 * epoch:.0f} ms"
        rows += [
            Row(f"{of}, with store, wandb, progress / without", whole, "ratio", "<= 1.15", whole <= 1.15),
            Row(f"{of}, with store, progress / without", ours, "ratio", "<= 1.15", ours <= 1.15),
            Row(f"{of}, with store, wandb, progress", 1000 * recorded / trials, "ms/trial", "-", True),
        ]
    if growth:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        more, peak = _seconds(growth, 0.0)
        slower, gib = more / growth / (recorded / trials), (peak - before) / 2**20
        rows += [
            Row(f"time per trial at {growth} / at {trials}", slower, "ratio", "<= 1.5", slower <= 1.5),
            Row(f"driver memory at {growth} over that at {trials}", gib, "GiB", "<= 1", gib <= 1),
        ]
    return rows


def _silent(trials: int, epoch: float) -> float:
    with patch.object(run, "RegionCallbacks", Silent), patch.object(run, "ProgressCallback", Silent):
        return _seconds(trials, epoch, wandb="disabled")[0]


def _seconds(trials: int, epoch: float, wandb: str = "offline") -> tuple[float, int]:
    """Seconds of a whole run without its start, and the driver's peak memory in KiB; `epoch` is in seconds."""
    started = 0.0

    def trainable(*arguments: Any) -> Any:
        nonlocal started
        started = time.monotonic()
        return tune.with_parameters(Simulated, seconds=epoch)

    with tempfile.TemporaryDirectory() as name, patch.object(run, "trainable_class", trainable):
        folder = Path(name)
        pack = noise_pack(folder, {"train": [4, 4], "val": [2, 2], "test": [2, 2]}, 16)
        space = small_space(folder, _CONFIG, early_terminate={"type": "hyperband", "min_iter": 1, "eta": 3})
        request = TuneRequest(pack.path, space, trials=trials, storage=folder / "runs", name="scale", wandb=wandb)
        try:
            run_experiment(request)
        except Exception as error:  # without records there is no trial to rank
            if "no trial" not in str(error):
                raise
        return time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
