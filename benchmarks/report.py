"""What a large store costs its readers: the list of trials, and the report."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.compare import GRADES
from benchmarks.rows import Row
from skin_tune.metrics import METRICS, scores_of, tallies_of
from skin_tune.regions import CATALOGUE
from skin_tune.results.store.predictions import write_predictions
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter

_IMAGES, _SUBJECTS, _GRADES = 600, 200, len(GRADES)


def measure(regions: int = 8, trials: int = 500, epochs: int = 50) -> list[Row]:
    """Seconds of whole commands on a store with 600 validation images a trial, and the report's size."""
    name = f"{regions} regions x {trials} trials x {epochs} epochs"
    with tempfile.TemporaryDirectory() as folder:
        storage, page = Path(folder) / "runs", Path(folder) / "report.html"
        write_store(storage, regions, trials, epochs)
        listed = _seconds("trials", "--storage", storage, "--limit", 20)
        reported = _seconds("report", "--storage", storage, "--out", page)
        size = page.stat().st_size / 1e6
    return [
        Row(f"skin-tune trials, {name}", listed, "s", "<= 1", listed <= 1),
        Row(f"skin-tune report, {name}", reported, "s", "<= 30", reported <= 30),
        Row(f"size of that report, {name}", size, "MB", "<= 15", size <= 15),
    ]


def write_store(storage: Path, regions: int, trials: int, epochs: int) -> None:
    """A store in which every trial has all its epochs: the most there can be."""
    labels = np.random.default_rng(0).choice(_GRADES, _IMAGES, p=GRADES / GRADES.sum())
    for number, region in enumerate(list(CATALOGUE)[:regions]):
        rng = np.random.default_rng(number)
        writer = ExperimentWriter(storage, region, "big")
        for trial in range(trials):
            _write_trial(writer, storage, region, f"big-{trial:03d}", labels, epochs, rng)
        writer.flush()
        writer.close()


def _write_trial(
    writer: ExperimentWriter,
    storage: Path,
    region: str,
    name: str,
    labels: np.ndarray,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    config = {
        "learning_rate": float(10 ** rng.uniform(-5, -2)),
        "weight_decay": float(10 ** rng.uniform(-4, -1)),
        "dropout_prob": float(rng.uniform(0, 0.6)),
        "gamma": float(rng.choice([0.0, 0.5, 1.0, 2.0, 5.0])),
        "beta": float(rng.choice([0.9, 0.99, 0.999, 0.9999])),
        "train_loss": str(rng.choice(["ce", "focal", "cb"])),
        "oversample": str(rng.choice(["none", "sqrt", "balanced"])),
        "augmentation_methods": str(rng.choice(["none", "horizontal_flip", "horizontal_flip rotation color_jitter"])),
        "batch_size": int(rng.choice([32, 64, 128])),
        "backbone": "resnet50",
        "epochs": epochs,
    }
    logits = rng.normal(0, 1, (_IMAGES, _GRADES)) - 0.8 * np.abs(labels[:, None] - np.arange(_GRADES))
    probabilities = np.exp(2 * rng.uniform(0.3, 1) * logits)
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    confusion = np.zeros((_GRADES, _GRADES))
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    best = {f"val_{metric}": float(scores_of(tallies_of(confusion))[metric]) for metric in METRICS}
    hyper_parameters = {f"config/{key}": value for key, value in config.items()}
    writer.update_trial(name, started_at=now(), pack_id=region, seed=0, epochs=epochs, best_epoch=epochs)
    writer.update_trial(name, status="stopped_early" if rng.random() < 0.7 else "completed", **best, **hyper_parameters)
    writer.update_trial(name, seconds=60.0 * epochs, gpu_seconds=60.0 * epochs)
    for epoch in range(1, epochs + 1):
        share = 1 - 0.6 * np.exp(-epoch / 10) + rng.normal(0, 0.02)
        writer.add_epoch(name, {"epoch": epoch, "train_loss": 1.0, **{key: share * best[key] for key in best}})
    write_predictions(
        storage,
        region,
        "big",
        name,
        "val",
        sources=[f"{row}.jpg" for row in range(_IMAGES)],
        subjects=[f"{row % _SUBJECTS:04d}" for row in range(_IMAGES)],
        labels=labels,
        probabilities=probabilities,
        about={
            "device": [f"{1 + row % 3:02d}" for row in range(_IMAGES)],
            "angle": [("F", "L", "R")[row % 3] for row in range(_IMAGES)],
        },
    )


def _seconds(*arguments: object) -> float:
    """Of a whole command, from its start to its end."""
    started = time.monotonic()
    command = [sys.executable, "-m", "skin_tune", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "160"})
    return time.monotonic() - started
