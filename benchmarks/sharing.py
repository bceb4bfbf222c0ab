"""Two trials that share a device, half each, against one after the other with the whole of it.

The device is a GPU; where there is none, the CPU's cores.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.rows import Row, noise_pack, small_config, small_space
from skin_tune.results import load_trials
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import run_experiment


def measure() -> list[Row]:
    """The ratio of seconds from the start of the first trial to the end of the second; Ray's start is not in them."""
    if torch.cuda.is_available():
        config = {**small_config(image_size=224, batch_size=128, epochs=3), "backbone": "resnet50"}
        images, device = 12_800, torch.cuda.get_device_name()
        half: dict[str, Any] = {"gpus_per_trial": 0.5}
        whole: dict[str, Any] = {"gpus_per_trial": 1.0}
    else:
        cores = torch.get_num_threads()
        config = small_config(image_size=64, batch_size=32, epochs=3)
        images, device = 1_280, f"{cores} CPU cores"
        half, whole = {"cpus_per_trial": max(1, cores // 2)}, {"cpus_per_trial": cores}
    share = _seconds(config, images, concurrent=2, **half) / _seconds(config, images, concurrent=1, **whole)
    return [Row(f"2 trials on half of {device} each / one after the other on the whole", share, "ratio", "-", True)]


def _seconds(config: dict[str, str | int], images: int, **options: Any) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = noise_pack(
            folder,
            {"train": [images // 4] * 4, "val": [16] * 4, "test": [1] * 4},
            int(config["image_size"]) // 7 * 8,
        )
        space, storage = small_space(folder, {**config, "augment": "all"}), folder / "runs"
        run_experiment(TuneRequest(pack.path, space, trials=2, storage=storage, wandb="disabled", **options))
        trials = load_trials(storage)
        return float((trials["ended_at"].max() - trials["started_at"].min()).total_seconds())
