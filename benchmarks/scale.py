"""What the driver spends on many trials, each of which takes no time: our records against none, and growth."""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ray import tune
from ray.tune import Callback

from benchmarks.rows import Row, noise_pack, small_config, small_space
from skin_tune.tuning import run
from skin_tune.tuning.experiment import run_experiment
from skin_tune.tuning.plan import TuneRequest

_EPOCHS = 5
_CONFIG = small_config(image_size=16, batch_size=4, epochs=_EPOCHS)


class Simulated(tune.Trainable):
    """Reports what a trial reports, and does nothing else."""

    def setup(self, config: dict[str, Any], **shared: Any) -> None:
        self._epoch = 0

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._epoch = 0
        return True

    def step(self) -> dict[str, Any]:
        self._epoch += 1
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
    """Ratios of seconds, each the lesser of two runs; the growth takes ten minutes."""
    runs = [(_seconds(trials)[0], _seconds(trials, wandb="disabled")[0], _silent(trials)) for _ in range(2)]
    recorded, stored, silent = map(min, zip(*runs, strict=True))
    name = f"{trials} simulated trials of {_EPOCHS} epochs"
    whole, ours = recorded / silent, stored / silent
    rows = [
        Row(f"{name}, with store, wandb, progress / without", whole, "ratio", "<= 1.15", whole <= 1.15),
        Row(f"{name}, with store, progress / without", ours, "ratio", "<= 1.15", ours <= 1.15),
        Row(f"{name}, with store, wandb, progress", 1000 * recorded / trials, "ms/trial", "-", True),
    ]
    if growth:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        more, peak = _seconds(growth)
        slower, gib = more / growth / (recorded / trials), (peak - before) / 2**20
        rows += [
            Row(f"time per trial at {growth} / at {trials}", slower, "ratio", "<= 1.5", slower <= 1.5),
            Row(f"driver memory at {growth} over that at {trials}", gib, "GiB", "<= 1", gib <= 1),
        ]
    return rows


def _silent(trials: int) -> float:
    with patch.object(run, "RegionCallbacks", Silent), patch.object(run, "ProgressCallback", Silent):
        return _seconds(trials, wandb="disabled")[0]


def _seconds(trials: int, wandb: str = "offline") -> tuple[float, int]:
    """Seconds of a whole run without its start, and the driver's peak memory in KiB."""
    started = 0.0

    def trainable(*arguments: Any) -> Any:
        nonlocal started
        started = time.monotonic()
        return Simulated

    with tempfile.TemporaryDirectory() as name, patch.object(run, "_trainable", trainable):
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
