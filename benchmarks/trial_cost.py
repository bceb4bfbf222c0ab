"""What a trial costs beyond its own training, against bare Ray Tune and the documented Tune + Train pattern."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, noise_pack, small_config, small_space
from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.results import load_epochs, load_trials
from skin_tune.tuning.experiment.request import TuneRequest
from skin_tune.tuning.experiment.runner import run_experiment

_TRIALS = 40
_PATTERN_TRIALS = 5
_CONFIG = small_config(image_size=16, batch_size=4, epochs=1)


def measure() -> list[Row]:
    """Seconds per trial between the first trials' ends and the last's."""
    with tempfile.TemporaryDirectory() as folder:
        recorded, training = _recorded(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        unrecorded = _unrecorded(Path(folder))
    ours = recorded - training / (os.cpu_count() or 1)
    share = recorded / unrecorded
    bare = _bare_tune()
    documented = _tune_and_train()
    return [
        Row(f"cost of a trial beyond its training, {_TRIALS} trials, store on", ours, "s", "<= 0.3", ours <= 0.3),
        Row(f"{_TRIALS} trials with store and offline wandb / without both", share, "ratio", "<= 1.3", share <= 1.3),
        Row("a trivial trial in bare Ray Tune, reused actors, no model, no checkpoint", bare, "s", "-", True),
        Row(
            f"a trivial trial in the documented Tune + TorchTrainer pattern, {_PATTERN_TRIALS} trials",
            documented,
            "s",
            "-",
            True,
        ),
        Row("that pattern's cost / ours", documented / ours, "ratio", ">= 100", documented >= 100 * ours),
    ]


def _recorded(folder: Path) -> tuple[float, float]:
    """Seconds per trial with the store and wandb on, and how many of them are its one epoch."""
    space = small_space(folder, _CONFIG)
    request = TuneRequest(
        _pack(folder).path,
        space,
        trials=_TRIALS,
        storage=folder / "runs",
        name="cost",
        cpus_per_trial=1,
        wandb="offline",
    )
    run_experiment(request)
    ended = load_trials(folder / "runs")["ended_at"].sort_values()
    seconds = float(load_epochs(folder / "runs")["epoch_seconds"].median())
    return _pace([moment.timestamp() for moment in ended]), seconds


def _unrecorded(folder: Path) -> float:
    """Seconds per trial when the same trials run in the same actors, and nothing but Tune listens."""
    from ray import tune

    from skin_tune.tuning.backend.trainable import TuneTrial
    from skin_tune.tuning.trial.context import REGION, TRIAL_ID, TrialSetting

    pack = _pack(folder)
    region = pack.info.region
    settings = {region: TrialSetting.of(pack, folder, "cost", "val_balanced_acc")}
    trainable = tune.with_parameters(TuneTrial, settings=settings, weights={("none", "resnet18"): None}, cpus=1)
    ids = tune.grid_search([f"cost-{number:03d}" for number in range(_TRIALS)])
    return _pace_in_tune(
        trainable, {**TrialConfig.from_mapping(_CONFIG).to_dict(), TRIAL_ID: ids, REGION: region}, folder
    )


def _bare_tune() -> float:
    """Seconds per trial when a trial does nothing."""
    from ray import tune

    class Trivial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            pass

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def step(self) -> dict[str, Any]:
            return {"val_balanced_acc": 1.0, "done": True}

        def save_checkpoint(self, folder: str) -> None:
            pass

    with tempfile.TemporaryDirectory() as folder:
        return _pace_in_tune(Trivial, {"number": tune.grid_search(list(range(_TRIALS)))}, Path(folder))


def _pace_in_tune(trainable: Any, config: dict[str, Any], folder: Path) -> float:
    import ray
    from ray import tune
    from ray.tune import Callback, CheckpointConfig, RunConfig, TuneConfig, Tuner

    from skin_tune.tuning.backend import cluster

    ended: list[float] = []

    class Clock(Callback):
        def on_trial_complete(self, *args: Any, **info: Any) -> None:
            ended.append(time.time())

    cluster.connect()
    Tuner(
        tune.with_resources(trainable, {"CPU": 1}),
        param_space=config,
        tune_config=TuneConfig(metric="val_balanced_acc", mode="max", reuse_actors=True),
        run_config=RunConfig(
            storage_path=str(folder / "tune"),
            name="bare",
            verbose=0,
            callbacks=[Clock()],
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    ).fit()
    ray.shutdown()
    return _pace(ended)


def _pace(ended: list[float]) -> float:
    """Seconds from one trial's end to the next, once every CPU has ended one."""
    steady = ended[os.cpu_count() or 1 :]
    return (steady[-1] - steady[0]) / (len(steady) - 1)


def _pack(folder: Path) -> Pack:
    return noise_pack(folder, {"train": [4, 4], "val": [2, 2], "test": [2, 2]}, 16)


def _tune_and_train() -> float:
    import ray
    from ray import tune
    from ray.train import RunConfig as TrainRunConfig
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune import RunConfig, TuneConfig, Tuner
    from ray.tune.integration.ray_train import TuneReportCallback

    from skin_tune.tuning.backend import cluster

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
