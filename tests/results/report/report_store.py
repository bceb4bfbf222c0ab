"""A small store with everything a report can show, written as experiments write it."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from skin_tune.metrics import METRICS, ORDINAL_METRICS, scores_of, tallies_of
from skin_tune.results.store.classes import class_columns
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter, record_test_opening
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths

TRAIN_IMAGES = (40, 30, 20, 6)
ORDINAL = [f"val_{name}" for name in ORDINAL_METRICS]


def answers(skill: float, seed: int, *, subjects: int = 40, counts: Sequence[int] = (24, 18, 14, 4)) -> dict[str, Any]:
    """What a grader of `skill` in [0, 1] says of sum(counts) images of so many people."""
    labels = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(seed)
    right = rng.random(len(labels)) < 0.25 + 0.7 * skill
    predicted = np.where(right, labels, rng.integers(0, len(counts), len(labels)))
    probabilities = rng.dirichlet(np.ones(len(counts)), len(labels)) * 0.5
    probabilities[np.arange(len(labels)), predicted] += 0.5
    return {
        "sources": [f"{row}.jpg" for row in range(len(labels))],
        "subjects": [f"s{row % subjects}" for row in range(len(labels))],
        "labels": labels,
        "probabilities": probabilities.astype(np.float32),
        "about": {
            "device": [f"{1 + row % 3:02d}" for row in range(len(labels))],
            "angle": [("F", "L", "R")[row % 3] for row in range(len(labels))],
        },
    }


def scores(said: dict[str, Any]) -> dict[str, float]:
    """The `val_` metrics of answers."""
    classes = said["probabilities"].shape[1]
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (said["labels"], said["probabilities"].argmax(axis=1)), 1)
    found = scores_of(tallies_of(confusion))
    return {f"val_{name}": float(found[name]) for name in METRICS}


def write_trials(
    storage: Location,
    region: str = "lip_dryness",
    experiment: str = "exp",
    *,
    trials: int = 24,
    epochs: int = 9,
    predictions: bool = True,
    pack_id: str = "f00d",
    gpus: float = 1.0,
    classes: Sequence[str] = (),
    ordinal: bool | None = None,
    **images: Any,
) -> None:
    """Trials of which one in three completes, the others are stopped after a third; an hour an epoch.

    The store says whether their `classes` are `ordinal` where that is not None, as it is for older versions.
    """
    writer = ExperimentWriter(storage, region, experiment)
    for number in range(trials):
        trial, skill = f"{experiment}-{number:03d}", (number * 7 % trials) / trials
        run = epochs if number % 3 == 0 else max(1, epochs // 3)
        said = answers(skill, number, **images)
        config = {
            "config/learning_rate": float(10 ** (-4 + 2 * skill)),
            "config/train_loss": ("cb", "ce", "focal")[number % 3],
            "config/backbone": "resnet18",
            "config/epochs": epochs,
            "config/seed": 0,
        }
        writer.update_trial(trial, started_at=now(), seed=0, pack_id=pack_id, split_seed=0, **config)
        writer.update_trial(trial, code_version="0.1", libraries="torch 2.15", hardware="a GPU")
        best = {name: value for name, value in scores(said).items() if ordinal is not False or name not in ORDINAL}
        if ordinal is not None:
            writer.update_trial(trial, **class_columns(classes, ordinal))
        for epoch in range(1, run + 1):
            share = 0.4 + 0.6 * epoch / run
            row = {name: share * value for name, value in best.items()}
            writer.add_epoch(trial, {"epoch": epoch, "train_loss": 1.0, **row})
        writer.update_trial(trial, status="completed" if run == epochs else "stopped_early", ended_at=now())
        hours = 3600.0 * run
        writer.update_trial(trial, epochs=run, best_epoch=run, seconds=hours, gpu_seconds=gpus * hours, **best)
        if predictions:
            write_predictions(storage, region, experiment, trial, "val", **said)
    writer.flush()
    writer.close()
    write_spec(storage, region, experiment, classes=classes)


def write_spec(
    storage: Location, region: str, experiment: str, metric: str = "val_balanced_acc", classes: Sequence[str] = ()
) -> None:
    """What `tune` leaves beside the store."""
    file = RunPaths(storage).spec(region, experiment)
    file.parent.mkdir(parents=True, exist_ok=True)
    counts = {"train": dict(zip(classes or "0123", TRAIN_IMAGES, strict=True))}
    file.write_text(json.dumps({"metric": metric, "counts": counts}))


def write_refit(
    storage: Location,
    trial: str,
    region: str = "lip_dryness",
    experiment: str = "exp",
    *,
    classes: Sequence[str] = "0123",
    ordinal: bool = True,
) -> None:
    """A trial that was trained again and tested, for which the test split was opened."""
    model = f"{trial}-refit"
    said = answers(0.8, 99)
    record_test_opening(storage, region, experiment, model, command="refit", pack_id="f00d")
    write_predictions(storage, region, experiment, model, "test", **said)
    metrics = {name: value if ordinal or name not in ORDINAL else None for name, value in scores(said).items()}
    facts = {
        "model": model,
        "experiment": experiment,
        "trial": trial,
        "trained_on": "train",
        "epochs": 9,
        "metrics": {name.replace("val_", "test_"): value for name, value in metrics.items()},
        "classes": [
            {"class": name, "train_images": count, "test_images": 5, "precision": 0.5, "recall": 0.6, "f1": None}
            for name, count in zip(classes, TRAIN_IMAGES, strict=True)
        ],
    }
    file = RunPaths(storage).refit(region, experiment, model) / "metrics.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts))
