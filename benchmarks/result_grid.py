"""A stored experiment as a ResultGrid, against Ray's own of the folder that Ray Tune keeps of the same trials."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from skin_tune import result_grid
from skin_tune.config import TrialConfig
from skin_tune.results.store.schema import EPOCHS, now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.tuning.trial.stored_config import columns_of

_METRICS = [name for name in EPOCHS.names if name not in ("trial_id", "epoch", "images")]
_BY = "val_balanced_acc"
_READS = 3


def measure(trials: int = 500, epochs: int = 30) -> list[Row]:
    """Seconds from files to a grid, its dataframe and its best trial, with Ray imported in either case."""
    with tempfile.TemporaryDirectory() as name:
        store, folder = Path(name) / "store", Path(name) / "ray"
        _write_store(store, trials, epochs)
        restore = _run_ray(folder, trials, epochs)
        # The least of three: what a virtual machine's first touch of its memory costs is not the reader's.
        ours, frame = min((_read(lambda: result_grid(store, experiment="exp")) for _ in range(_READS)), key=_seconds)
        theirs, expected = min((_read(restore) for _ in range(_READS)), key=_seconds)
    shown = ["training_iteration", *_METRICS]
    frame, expected = (each.set_index("config/seed").sort_index()[shown] for each in (frame, expected))
    pd.testing.assert_frame_equal(frame, expected)
    rows = f"{trials} trials x {epochs} epochs"
    return [
        Row(f"result_grid with its dataframe and its best trial, {rows}", ours, "s", "-", True),
        Row("Ray's own grid of its own folder / that", theirs / ours, "ratio", ">= 10", theirs >= 10 * ours),
    ]


def _seconds(read: tuple[float, pd.DataFrame]) -> float:
    return read[0]


def _read(load: Callable[[], Any]) -> tuple[float, pd.DataFrame]:
    started = time.perf_counter()
    grid = load()
    frame = grid.get_dataframe()
    grid.get_best_result(_BY, "max")
    return time.perf_counter() - started, frame


def _metrics(trial: int, epoch: int) -> dict[str, float]:
    return dict(zip(_METRICS, np.random.default_rng((trial, epoch)).random(len(_METRICS)).tolist(), strict=True))


def _config(trial: int, epochs: int) -> dict[str, Any]:
    return TrialConfig.from_mapping({"seed": trial, "epochs": epochs}).to_dict()


def _write_store(storage: Path, trials: int, epochs: int) -> None:
    writer = ExperimentWriter(storage, "lip_dryness", "exp")
    for trial in range(trials):
        name, over = f"exp-{trial:03d}", {"status": "completed", "epochs": epochs, "seconds": 60.0 * epochs}
        writer.update_trial(name, started_at=now(), ended_at=now(), **over, **columns_of(_config(trial, epochs)))
        for epoch in range(1, epochs + 1):
            writer.add_epoch(name, {"epoch": epoch, **_metrics(trial, epoch)})
    writer.flush()
    writer.close()


def _run_ray(folder: Path, trials: int, epochs: int) -> Callable[[], Any]:
    """Have Ray Tune run such trials, in actors that it reuses, with its own loggers; what reads their grid."""
    import ray
    from ray import tune

    class Drawn(tune.Trainable):
        def step(self) -> dict[str, Any]:
            return {**_metrics(self.config["seed"], self.iteration + 1), "done": self.iteration + 1 >= epochs}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "0", "RAY_AIR_NEW_OUTPUT": "0"}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    space = _config(0, epochs) | {"seed": tune.grid_search(list(range(trials)))}
    no_checkpoint = tune.CheckpointConfig(checkpoint_at_end=False)
    run = tune.RunConfig(name="exp", storage_path=str(folder), checkpoint_config=no_checkpoint, verbose=0)
    tune.Tuner(Drawn, param_space=space, tune_config=tune.TuneConfig(reuse_actors=True), run_config=run).fit()
    ray.shutdown()
    return lambda: tune.Tuner.restore(str(folder / "exp"), Drawn, param_space=space).get_results()
