"""skin-tune itself as one of the opponents: `skin-tune tune`, and its best trial tested once."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.opponents.chosen import Outcome, Task
from skin_tune.config import TrialConfig
from skin_tune.data.loading.oversampling import target_counts
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.tables import load_trials
from skin_tune.tuning.space.sweep_file import load_space
from skin_tune.tuning.trial.stored_config import config_of

_DECIDES_DRAWS = ("epochs", "oversample", "target_samples_per_class")


def run_skin_tune(task: Task, pack: Pack, space: Path, folder: Path) -> Outcome:
    """Tune on `pack` as long as the budget holds one more full-length trial, one trial at a time.

    Trials that were stopped early leave images for further ones, which the resumed experiment runs. Raises ConfigError
    where the budget is less than one trial.
    """
    overrides = {"epochs": task.epochs, "image_size": task.image_size}
    counts = pack.class_counts("train")
    longest = longest_trial(space, overrides, counts)
    trials = task.budget // longest
    if not trials:
        raise ConfigError(f"a trial of {space} draws up to {longest} images, more than the {task.budget} of all")
    storage, name = folder / "runs", f"seed-{task.seed}"
    while True:
        begun = (storage / "experiments" / pack.info.region / name).exists()
        _tune(pack, space, storage, name, trials, overrides, task.seed, resume=begun)
        stored = load_trials(storage, pack.info.region, name)
        epochs = stored["epochs"].fillna(0).astype(int)  # a trial may fail before its first
        configs = map(config_of, stored.to_dict("records"))
        drawn = sum(images_drawn(config, counts) * run for config, run in zip(configs, epochs, strict=True))
        more = (task.budget - drawn) // longest
        if more <= 0 or len(stored) < trials:  # a grid may have come to its end
            break
        trials += more
    metric = load_space(space, overrides).metric
    best = rank_trials(storage, region=pack.info.region, experiment=name, sort=metric).iloc[0]
    config = config_of(best.to_dict())
    evaluation = evaluate_file(Path(best["checkpoint"]), pack.path, "test", pack.info.pack_id)
    return Outcome(
        config=config.to_dict(),
        epoch=int(best["best_epoch"]),
        val_balanced_acc=float(best["val_balanced_acc"]),
        test_predicted=evaluation.probabilities.argmax(axis=1).astype(np.int64),
        images_drawn=drawn,
        runs=len(stored),
    )


def images_drawn(config: TrialConfig, counts: npt.NDArray[np.int64]) -> int:
    """Images that an epoch of a config draws, `counts` [K] being the training images of each class."""
    return int(target_counts(counts, config.oversample, config.target_samples_per_class).sum())


def longest_trial(space: Path, overrides: dict[str, Any], counts: npt.NDArray[np.int64]) -> int:
    """The most images that a full-length trial of a space can draw."""
    parameters = {parameter.name: parameter for parameter in load_space(space, overrides).parameters}
    names = [name for name in _DECIDES_DRAWS if name in parameters]
    choices = [parameters[name].values or (parameters[name].at(0.0), parameters[name].at(1.0)) for name in names]
    configs = [
        TrialConfig.from_mapping(dict(zip(names, values, strict=True))) for values in itertools.product(*choices)
    ]
    return max(config.epochs * images_drawn(config, counts) for config in configs)


def _tune(
    pack: Pack,
    space: Path,
    storage: Path,
    name: str,
    trials: int,
    overrides: dict[str, Any],
    seed: int,
    *,
    resume: bool,
) -> None:
    words = [str(pack.path), *(f"{key}={value}" for key, value in overrides.items())]
    what = ["--space", space, "--storage", storage, "--name", name, "--trials", trials, "--seed", seed]
    how = ["--concurrent", 1, "--cpus-per-trial", 1, "--wandb", "disabled", *(["--resume"] if resume else [])]
    subprocess.run([sys.executable, "-m", "skin_tune", "tune", *words, *map(str, [*what, *how])], check=True)
