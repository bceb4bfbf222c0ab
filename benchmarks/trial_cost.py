"""What a trial costs beyond its own training: ours, bare Ray Tune's, and the documented Tune + Train pattern's."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, noise_pack
from skin_tune.results import load_epochs, load_trials
from skin_tune.tuning.experiment import TuneRequest, run_experiment

_TRIALS = 40
_PATTERN_TRIALS = 3
_SPACE = """
method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-2}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 4}
  oversample: {value: none}
  warmup_epochs: {value: 0}
  epochs: {value: 1}
"""


def measure() -> list[Row]:
    """Seconds per trial between the first trial's end and the last's, less its epoch's training and validation."""
    ours = _ours()
    bare = _bare_tune()
    documented = _tune_and_train()
    return [
        Row(f"cost of a trial beyond its training, {_TRIALS} trials, store on", ours, "s", "<= 0.5", ours <= 0.5),
        Row("a trivial trial in bare Ray Tune, reused actors, no model, no checkpoint", bare, "s", "-", True),
        Row(
            f"a trivial trial in the documented Tune + TorchTrainer pattern, {_PATTERN_TRIALS} trials",
            documented,
            "s",
            "-",
            True,
        ),
        Row("that pattern's cost / ours", documented / ours, "ratio", "-", True),
    ]


def _ours() -> float:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pack = noise_pack(root, {"train": [4, 4], "val": [2, 2], "test": [2, 2]}, 16)
        (root / "space.yaml").write_text(_SPACE)
        request = TuneRequest(pack.path, root / "space.yaml", trials=_TRIALS, storage=root / "runs", name="cost")
        run_experiment(request)
        trials = load_trials(root / "runs").sort_values("ended_at")
        training = load_epochs(root / "runs")["epoch_seconds"].median()
    workers = os.cpu_count() or 1
    steady = trials["ended_at"].iloc[workers:]
    span = (steady.iloc[-1] - steady.iloc[0]).total_seconds()
    return float(span / (len(steady) - 1) - training / workers)


def _bare_tune() -> float:
    import ray
    from ray import tune
    from ray.tune import Callback, RunConfig, TuneConfig, Tuner

    from skin_tune.tuning import cluster

    class Trivial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            pass

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def step(self) -> dict[str, Any]:
            return {"score": 1.0, "done": True}

        def save_checkpoint(self, folder: str) -> None:
            pass

    ended: list[float] = []

    class Clock(Callback):
        def on_trial_complete(self, *args: Any, **info: Any) -> None:
            ended.append(time.monotonic())

    cluster.connect()
    trainable: Callable[..., Any] = tune.with_resources(Trivial, {"CPU": 1})
    with tempfile.TemporaryDirectory() as folder:
        Tuner(
            trainable,
            tune_config=TuneConfig(metric="score", mode="max", num_samples=_TRIALS, reuse_actors=True),
            run_config=RunConfig(storage_path=folder, name="bare", verbose=0, callbacks=[Clock()]),
        ).fit()
    ray.shutdown()
    workers = os.cpu_count() or 1
    return statistics.mean(
        later - earlier for earlier, later in zip(ended[workers:-1], ended[workers + 1 :], strict=True)
    )


def _tune_and_train() -> float:
    import ray
    from ray import tune
    from ray.train import RunConfig as TrainRunConfig
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune import RunConfig, TuneConfig, Tuner
    from ray.tune.integration.ray_train import TuneReportCallback

    from skin_tune.tuning import cluster

    def train_on_worker(config: dict[str, Any]) -> None:
        import ray.train

        ray.train.report({"score": 1.0})

    def drive(config: dict[str, Any]) -> None:
        TorchTrainer(
            train_on_worker,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=1),
            run_config=TrainRunConfig(storage_path=config["folder"], callbacks=[TuneReportCallback()]),
        ).fit()

    cluster.connect()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        Tuner(
            tune.with_resources(drive, {"CPU": 1}),
            param_space={"folder": folder},
            tune_config=TuneConfig(metric="score", mode="max", num_samples=_PATTERN_TRIALS, max_concurrent_trials=1),
            run_config=RunConfig(storage_path=folder, name="documented", verbose=0),
        ).fit()
        spent = time.monotonic() - started
    ray.shutdown()
    return spent / _PATTERN_TRIALS
