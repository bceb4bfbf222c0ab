"""What Ray's start costs: until a search's first epoch has ended, and a refit on one worker beside its epochs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, noise_pack, small_config, small_space

_CONFIG = small_config(image_size=32, batch_size=16, epochs=2)


def measure() -> list[Row]:
    """Seconds of two commands that start a Ray of their own: a ResNet-18 at 32 px, two epochs of 60 images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = noise_pack(folder, {"train": [40, 20], "val": [10, 5], "test": [10, 5]}, 32)
        space = small_space(folder, _CONFIG)
        where = ["--storage", folder / "runs"]
        search = ["tune", pack.path, "--space", space, "--name", "exp", "--trials", 2, "--cpus-per-trial", 1, *where]
        process, first = _start(search), 0.0
        started = time.monotonic()
        while process.poll() is None:
            if not first and list(folder.glob("runs/experiments/*/exp/checkpoints/*/best.pt")):
                first = time.monotonic() - started
            time.sleep(0.02)
        started = time.monotonic()
        if process.returncode or _start(["refit", "exp", *where]).wait():
            raise RuntimeError("the search or the refit has failed")
        spent = time.monotonic() - started
        (facts,) = folder.glob("runs/experiments/*/exp/refit/*/metrics.json")
        beside = spent - json.loads(facts.read_text())["seconds"]
    return [
        Row("tune until the first trial's first epoch has ended", first, "s", "-", True),
        Row("refit on one worker, beside its epochs", beside, "s", "-", True),
    ]


def _start(words: list[object]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "skin_tune", *map(str, words)],
        env={**os.environ, "WANDB_MODE": "disabled"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
