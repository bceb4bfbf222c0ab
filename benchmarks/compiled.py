"""Trials one after the other in one process, their backbones compiled once, against the same trials as they are.

On a GPU the pace; on a CPU, where compiling gives nothing, how many graphs twenty trials make.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch._dynamo.utils import counters

from benchmarks.rows import Row, noise_pack
from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.training.trainer import Trainer

_TRIALS = 16
_IMAGES = 25_600
_FROM = 2_000_000
"""Images from which on compiling is to have paid, its time included."""
_LOSSES = ("cb", "ce", "focal", "logit_adjustment", "label_smoothing")


def measure() -> list[Row]:
    """Rows of the graphs made on a CPU, and of the pace on a GPU."""
    with tempfile.TemporaryDirectory() as folder, _no_cache(Path(folder)):
        rows = _graphs(Path(folder))
        if not torch.cuda.is_available():
            print(f"no GPU: the pace of {_TRIALS} compiled trials of ResNet-50 at 224 px is left out")
            return rows
        return [*rows, *_pace(Path(folder))]


def _no_cache(folder: Path) -> Any:
    """A cache of graphs that is empty, as on a machine that has never compiled."""
    from unittest.mock import patch

    return patch.dict("os.environ", {"SKIN_TUNE_CACHE": str(folder), "TORCHINDUCTOR_CACHE_DIR": str(folder / "graphs")})


def _graphs(folder: Path) -> list[Row]:
    """Twenty trials of unlike hyper-parameters, batches of 32, 64 and 128."""
    pack = noise_pack(folder, {"train": [64, 64, 64], "val": [8, 8, 8], "test": [1, 1, 1]}, 32)
    counters.clear()
    seen: dict[int, int] = {}
    later = 0
    for number in range(20):
        size = (32, 64, 128)[number % 3]
        before = counters["stats"]["unique_graphs"]
        _train(pack, _config(number, backbone="resnet18", image_size=32, batch_size=size), "cpu")
        made = counters["stats"]["unique_graphs"] - before
        later += made if size in seen else 0
        seen.setdefault(size, made)
    most = max(seen.values())
    return [
        Row("graphs a batch size, 20 compiled trials in one process, 3 batch sizes", most, "graphs", "<= 2", most <= 2),
        Row("graphs of trials whose batch size has been compiled", later, "graphs", "<= 0", later == 0),
    ]


def _pace(folder: Path) -> list[Row]:
    """Images a second of each way over all trials, and what waiting for the graphs leaves of it."""
    size = 256
    counts = {"train": [_IMAGES // 64] * 4, "val": [64] * 4, "test": [1] * 4}
    pack = noise_pack(folder, counts, size)
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    for number in range(_TRIALS):
        for compile, spent in seconds.items():
            config = _config(number, backbone="resnet50", batch_size=size, epoch_images=_IMAGES, compile=compile)
            spent.append(_train(pack, config, "cuda"))
    eager, compiled = (statistics.median(spent[1:]) for spent in seconds.values())
    waited = seconds["on"][0] - compiled
    whole = _FROM / _IMAGES
    ratio = whole * eager / (whole * compiled + waited)
    on = f"ResNet-50 224 px, {torch.cuda.get_device_name()}"
    what = f"pace of {_TRIALS} trials in one process, compiled / not, over {_FROM:,} images, compiling included, {on}"
    return [
        Row(what, ratio, "ratio", ">= 1.35", ratio >= 1.35),
        Row(f"wait of the first of them for its graphs, {on}", waited, "s", "-", True),
    ]


def _config(number: int, **changes: object) -> TrialConfig:
    """One of many unlike configs, with an epoch of its own length where `changes` do not say."""
    return TrialConfig.from_mapping(
        {
            "weights": "none",
            "compile": "on",
            "train_loss": _LOSSES[number % len(_LOSSES)],
            "oversample": ("none", "sqrt", "balanced")[number % 3],
            "learning_rate": 1e-4 * (number + 1),
            "weight_decay": 0.01 * number,
            "dropout_prob": 0.04 * number,
            "seed": number,
            **changes,
        }
    )


def _train(pack: Pack, config: TrialConfig, device: str) -> float:
    """Seconds of one epoch of a new network, its validation and what it waits for included."""
    started = time.perf_counter()
    trainer = Trainer(config, pack, device=device)
    trainer.run_epoch()
    if trainer.not_compiled:
        raise SystemExit(f"error: the network is not compiled: {trainer.not_compiled}")
    return time.perf_counter() - started
