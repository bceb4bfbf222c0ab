"""A million epochs read back: each trial's best, against pandas over the JSON lines that Ray Tune keeps of a trial."""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from skin_tune.results import load_epochs
from skin_tune.results.store.schema import EPOCHS
from skin_tune.results.store.writer import ExperimentWriter

_METRICS = [name for name in EPOCHS.names if name not in ("trial_id", "epoch")]
_REGIONS = 8
_BY = "val_balanced_acc"


def measure(trials: int = 10_000, epochs: int = 100) -> list[Row]:
    """Seconds from files to a frame with one row per trial."""
    with tempfile.TemporaryDirectory() as name:
        store, lines = Path(name) / "store", Path(name) / "lines"
        _write(store, lines, trials // _REGIONS, epochs)
        # The least of three: what a virtual machine's first touch of its memory costs is not the reader's.
        ours, best = min((_best_of_store(store) for _ in range(3)), key=lambda read: read[0])
        theirs, expected = _best_of_lines(lines)
    assert len(best) == trials
    assert np.allclose(sorted(best[_BY]), sorted(expected[_BY]))
    rows = f"{trials * epochs:,} epochs of {trials:,} trials"
    return [
        Row(f"best epoch of each trial, {rows}", ours, "s", "<= 1", ours <= 1),
        Row(
            "pandas over a file of JSON lines for each trial / that",
            theirs / ours,
            "ratio",
            ">= 50",
            theirs >= 50 * ours,
        ),
    ]


def _write(store: Path, lines: Path, trials: int, epochs: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(_REGIONS):
        region = f"region{number}"
        writer = ExperimentWriter(store, region, "exp")
        for trial in range(trials):
            trial_id = f"exp-{trial:04d}"
            writer.update_trial(trial_id, status="completed", epochs=epochs)
            file = lines / region / trial_id / "result.json"
            file.parent.mkdir(parents=True)
            with file.open("w") as result:
                for epoch, values in enumerate(rng.random((epochs, len(_METRICS))).tolist(), start=1):
                    metrics = {"epoch": epoch, **dict(zip(_METRICS, values, strict=True))}
                    writer.add_epoch(trial_id, metrics)
                    result.write(json.dumps({**metrics, "region": region, "trial_id": trial_id}) + "\n")
        writer.flush()
        writer.close()


def _best_of_store(store: Path) -> tuple[float, pd.DataFrame]:
    started = time.perf_counter()
    frame = load_epochs(store)
    best = frame.loc[frame.groupby(["region", "trial_id"])[_BY].idxmax()]
    return time.perf_counter() - started, best


def _best_of_lines(lines: Path) -> tuple[float, pd.DataFrame]:
    started = time.perf_counter()
    frames = (pd.read_json(file, lines=True) for file in lines.glob("*/*/result.json"))
    best = pd.DataFrame([frame.loc[frame[_BY].idxmax()] for frame in frames])
    return time.perf_counter() - started, best
