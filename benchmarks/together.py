"""Eight regions in one run against as many trials of one region: what sharing the cluster costs."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, noise_pack, small_config, small_space
from skin_tune.regions import CATALOGUE
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import run_experiments

_TRIALS = 3
_CONFIG = small_config(image_size=32, batch_size=32, epochs=2)


def measure() -> list[Row]:
    """Seconds from the command to the table, the start of Ray included in both."""
    together = _seconds(list(CATALOGUE), _TRIALS)
    alone = _seconds(["forehead_wrinkle"], _TRIALS * len(CATALOGUE))
    share = together / alone
    name = f"8 regions x {_TRIALS} trials in one run / {8 * _TRIALS} trials of one region"
    return [Row(name, share, "ratio", "<= 1.15", share <= 1.15)]


def _seconds(regions: Sequence[str], trials: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = small_space(folder, _CONFIG)
        counts = {"train": [160, 80, 40], "val": [20, 20, 20], "test": [1, 1, 1]}
        packs = [noise_pack(folder, counts, 32, region) for region in regions]
        requests = [
            TuneRequest(
                pack.path,
                space,
                trials=trials,
                storage=folder / "runs",
                name="together",
                wandb="disabled",
            )
            for pack in packs
        ]
        started = time.monotonic()
        run_experiments(requests)
        return time.monotonic() - started
