"""How long an experiment that was killed needs from the command with --resume to its first new epoch."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, noise_pack, small_config, small_space

_CONFIG = small_config(image_size=32, batch_size=16, epochs=100)

_ORPHANS = 15
"""Seconds within which Ray has ended the trials of the killed driver; until then they go on writing checkpoints."""


def measure() -> list[Row]:
    """Seconds, the start of Ray included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = noise_pack(folder, {"train": [20, 20], "val": [5, 5], "test": [5, 5]}, 32)
        space = small_space(folder, _CONFIG)
        where = ["--space", space, "--storage", folder / "runs", "--name", "killed"]
        command = [sys.executable, "-m", "skin_tune", "tune", pack.path, *where, "--trials", "2", "--wandb", "offline"]
        _seconds_to_an_epoch(command, folder)
        time.sleep(_ORPHANS)
        seconds = _seconds_to_an_epoch([*command, "--resume"], folder)
    return [Row("restart of a killed experiment to its first new epoch", seconds, "s", "<= 30", seconds <= 30)]


def _seconds_to_an_epoch(command: list[object], folder: Path) -> float:
    """Run `command` until it has ended two epochs, then kill it; seconds to the first."""
    started, seen = time.monotonic(), _checkpoints(folder)
    moments: list[float] = []
    process = subprocess.Popen(map(str, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(moments) < 2:
            time.sleep(0.02)
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            if new := _checkpoints(folder) - seen:
                moments.append(time.monotonic())
                seen |= new
    finally:
        process.kill()
        process.wait()
    return moments[0] - started


def _checkpoints(folder: Path) -> set[int]:
    return {file.stat().st_mtime_ns for file in folder.glob("runs/experiments/*/*/checkpoints/*/last.pt")}
