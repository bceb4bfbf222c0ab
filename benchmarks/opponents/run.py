"""Runs opponents on splits, each once."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.opponents.chosen import Outcome, Task
from benchmarks.opponents.hand_tuned import run_optuna, run_variants
from benchmarks.opponents.loop import Photos
from benchmarks.opponents.packs import split_anew
from benchmarks.opponents.results import OpponentsError, Predictions, Result, is_done, write_result
from benchmarks.opponents.search import run_combination, run_skin_tune
from skin_tune.data.pack.format import Pack
from skin_tune.metrics import confusion_matrix, metrics_of

OPPONENTS = ("loop", "loop+", "optuna", "optuna+", "skin-tune", "combine")
_OURS = {"skin-tune": run_skin_tune, "combine": run_combination}


def run_opponents(
    base: Pack,
    work: Path,
    *,
    split_seeds: Sequence[int],
    opponents: Sequence[str] = OPPONENTS,
    fraction: float = 1.0,
    epochs: int = 6,
    image_size: int = 64,
    space: Path,
    tell: Callable[[str], None] = print,
) -> None:
    """Write the result of each opponent on each split of `base`, but for those that are there.

    Raises OpponentsError where an opponent is not known, or a result is there that was made with other settings.
    """
    if unknown := [name for name in opponents if name not in OPPONENTS]:
        raise OpponentsError(f"no opponent is called {', '.join(unknown)}; there are {', '.join(OPPONENTS)}")
    if image_size > base.info.size:
        raise OpponentsError(f"--image-size {image_size} is more than the pack's {base.info.size}")
    for seed in split_seeds:
        pack = split_anew(base, work / "packs" / f"split-{seed}.arrow", seed=seed, fraction=fraction)
        task = task_of(pack, epochs=epochs, image_size=image_size, seed=seed)
        for opponent in opponents:
            settings: dict[str, Any] = {"pack_id": pack.info.pack_id, "epochs": epochs, "image_size": image_size}
            if opponent in _OURS:
                settings["space"] = space.read_text()
            if is_done(work, opponent, seed, settings):
                continue
            tell(f"split seed {seed}: {opponent}, at most {task.budget} images")
            started = time.monotonic()
            outcome = _run(opponent, task, pack, space, work)
            seconds = time.monotonic() - started
            result, predictions = result_of(opponent, task, pack, settings, outcome, seconds)
            write_result(work, result, predictions)


def task_of(pack: Pack, *, epochs: int, image_size: int, seed: int) -> Task:
    """The pack's splits as plain arrays. Raises OpponentsError where a class has no training image."""
    if not pack.class_counts("train").all():
        raise OpponentsError(f"pack {str(pack.path)!r} has a class without training images")
    train, val, test = (
        Photos(pack.images[rows], pack.labels[rows]) for rows in map(pack.indices, ("train", "val", "test"))
    )
    return Task(train, val, test, len(pack.classes), epochs, image_size, seed)


def _run(opponent: str, task: Task, pack: Pack, space: Path, work: Path) -> Outcome:
    if opponent in _OURS:
        return _OURS[opponent](task, pack, space, work)
    run = run_optuna if opponent.startswith("optuna") else run_variants
    return run(task, plus=opponent.endswith("+"))


def result_of(
    opponent: str, task: Task, pack: Pack, settings: dict[str, Any], outcome: Outcome, seconds: float
) -> tuple[Result, Predictions]:
    """What is kept of an outcome."""
    predicted = outcome.test_predicted
    scores = metrics_of(confusion_matrix(task.test.labels, predicted, task.classes), pack.classes, pack.info.ordinal)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    result = Result(
        opponent=opponent,
        split_seed=task.seed,
        settings=settings,
        classes=pack.classes,
        config=outcome.config,
        epoch=outcome.epoch,
        val_balanced_acc=outcome.val_balanced_acc,
        test_balanced_acc=scores["balanced_acc"],
        test_macro_f1=scores["macro_f1"],
        test_acc=scores["acc"],
        images_drawn=outcome.images_drawn,
        budget=task.budget,
        runs=outcome.runs,
        seconds=seconds,
        machine=f"{device}, {os.cpu_count()} CPU cores, {platform.machine()}, torch {torch.__version__}",
    )
    subjects = np.asarray(pack.subjects[pack.indices("test")])
    return result, Predictions(subjects, task.test.labels, predicted)
