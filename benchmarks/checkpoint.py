"""What a trial waits for its checkpoints: ResNet-50, beside what an epoch computes."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.rows import Row, noise_pack
from skin_tune.config import TrialConfig
from skin_tune.training.checkpoint import BackgroundSaver, save_checkpoint
from skin_tune.training.trainer import Trainer

_ROUNDS = 3


def measure() -> list[Row]:
    """An epoch of 384 images, a twentieth of a lab's, beside which a checkpoint is written, and one alone, in turn."""
    config = TrialConfig(
        backbone="resnet50", weights="none", image_size=224, batch_size=8, oversample="none", epochs=99
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = noise_pack(folder, {"train": [192, 192], "val": [4, 4], "test": [1, 1]}, 224)
        trainer, saver = Trainer(config, pack), BackgroundSaver()
        trainer.run_epoch()
        alone, beside, at_once = [], [], []
        for _ in range(_ROUNDS):
            alone.append(_seconds(trainer.run_epoch))
            at_once.append(_seconds(lambda: save_checkpoint(folder / "last.pt", trainer.state_dict())))
            beside.append(_seconds(lambda: _epoch_while_saving(trainer, saver, folder / "last.pt")))
        size = (folder / "last.pt").stat().st_size / 1e6
    epoch = statistics.median(alone)
    stall = max(0.0, statistics.median(beside) - epoch) / epoch
    written = statistics.median(at_once)
    return [
        Row("wait for a checkpoint / the epoch's compute, ResNet-50 224 px", stall, "ratio", "<= 0.02", stall <= 0.02),
        Row(f"a checkpoint of {size:.0f} MB, written while training waits", written, "s", "-", True),
    ]


def _epoch_while_saving(trainer: Trainer, saver: BackgroundSaver, path: Path) -> None:
    saver.save(path, trainer.state_dict())
    trainer.run_epoch()
    saver.wait()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
