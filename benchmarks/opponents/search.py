"""skin-tune itself as two of the opponents: its best trial, and its three best combined, each tested once."""

import itertools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.opponents.chosen import Outcome, Task
from skin_tune.config import TrialConfig
from skin_tune.data.loading.sampling import draws_per_class
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.inference.evaluate import evaluate_file
from skin_tune.metrics import is_adjusted, val_metric
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location
from skin_tune.tuning.space.sweep_file import load_space
from skin_tune.tuning.studies.combine import CombineRequest, run_combine
from skin_tune.tuning.trial.stored_config import config_of

_DECIDES_DRAWS = ("oversample", "target_samples_per_class", "epoch_images")
_COMBINED = 3
"""Trials of a combination, `skin-tune combine`'s default."""


@dataclass(frozen=True)
class _Search:
    """An experiment that has drawn its budget."""

    storage: Path
    name: str
    metric: str
    trials: pd.DataFrame


def run_skin_tune(task: Task, pack: Pack, space: Path, folder: Path) -> Outcome:
    """Tune on `pack` until the budget is drawn, one trial at a time, and test the best trial.

    Raises ConfigError where the budget is less than one trial.
    """
    search = _tuned(task, pack, space, folder)
    best = rank_trials(search.storage, region=pack.info.region, experiment=search.name, sort=search.metric).iloc[0]
    tested = _predicted(Path(best["checkpoint"]), pack, adjusted=is_adjusted(search.metric))
    score = best[val_metric("balanced_acc", adjusted=is_adjusted(search.metric))]
    return _outcome(search, config_of(best.to_dict()).to_dict(), int(best["best_epoch"]), score, tested)


def run_combination(task: Task, pack: Pack, space: Path, folder: Path) -> Outcome:
    """`run_skin_tune`, but test the mean of its best trials' adjusted probabilities; the same experiment serves both.

    Raises ConfigError where the budget is less than one trial, ExperimentError where fewer than three can be combined.
    """
    search = _tuned(task, pack, space, folder)
    combination = run_combine(CombineRequest(search.name, top=_COMBINED, pack=pack.path, storage=search.storage))
    stored = load_trials(search.storage, pack.info.region, f"{search.name}-combined").iloc[-1]
    score = stored[val_metric("balanced_acc", adjusted=True)]
    tested = _predicted(combination.model, pack, adjusted=True)
    return _outcome(search, {"members": list(combination.members)}, 0, score, tested)


def _tuned(task: Task, pack: Pack, space: Path, folder: Path) -> _Search:
    overrides = {"epochs": task.epochs, "image_size": task.image_size}
    epoch = longest_epoch(space, overrides, pack.class_counts("train"))
    if task.budget < epoch * task.epochs:
        raise ConfigError(f"a trial of {space} draws up to {epoch * task.epochs} images; all may draw {task.budget}")
    storage, name = folder / "runs", f"seed-{task.seed}"
    images = task.budget - epoch + 1  # the experiment ends with the epoch that reaches it
    begun = (storage / "experiments" / pack.info.region / name).exists()
    if not begun or _images(load_trials(storage, pack.info.region, name)) < images:
        _tune(pack, space, storage, name, images, overrides, task.seed, trials=task.budget // epoch, resume=begun)
    metric = load_space(space, overrides).metric
    return _Search(storage, name, metric, load_trials(storage, pack.info.region, name))


def longest_epoch(space: Path, overrides: dict[str, Any], counts: npt.NDArray[np.int64]) -> int:
    """The most images that an epoch of a trial of a space can draw, `counts` [K] being the training images by class."""
    parameters = {parameter.name: parameter for parameter in load_space(space, overrides).parameters}
    names = [name for name in _DECIDES_DRAWS if name in parameters]
    choices = [parameters[name].values or (parameters[name].at(0.0), parameters[name].at(1.0)) for name in names]
    configs = [
        TrialConfig.from_mapping(dict(zip(names, values, strict=True))) for values in itertools.product(*choices)
    ]
    return max(int(draws_per_class(config, counts).sum()) for config in configs)


def _predicted(model: Location, pack: Pack, *, adjusted: bool) -> npt.NDArray[np.int64]:
    evaluation = evaluate_file(model, pack.path, "test", pack.info.pack_id)
    probabilities = evaluation.adjusted_probabilities if adjusted else evaluation.probabilities
    assert probabilities is not None, "a model trained just now keeps its prior"
    return probabilities.argmax(axis=1).astype(np.int64)


def _outcome(
    search: _Search, config: dict[str, Any], epoch: int, score: float, predicted: npt.NDArray[np.int64]
) -> Outcome:
    return Outcome(config, epoch, float(score), predicted, _images(search.trials), len(search.trials))


def _images(trials: pd.DataFrame) -> int:
    """What all trials have drawn; one may fail before its first epoch."""
    return int(trials["images"].fillna(0).sum())


def _tune(
    pack: Pack,
    space: Path,
    storage: Path,
    name: str,
    images: int,
    overrides: dict[str, Any],
    seed: int,
    *,
    trials: int,
    resume: bool,
) -> None:
    words = [str(pack.path), *(f"{key}={value}" for key, value in overrides.items())]
    what = ["--space", space, "--storage", storage, "--name", name, "--seed", seed]
    how = [
        "--image-budget",
        images,
        "--trials",
        trials,
        "--concurrent",
        1,
        "--cpus-per-trial",
        1,
        "--wandb",
        "disabled",
    ]
    again = ["--resume"] if resume else []
    subprocess.run([sys.executable, "-m", "skin_tune", "tune", *words, *map(str, [*what, *how]), *again], check=True)
