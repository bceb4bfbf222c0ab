"""An experiment that grows under the eyes of whoever follows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.files import Location

METRIC = "val_balanced_acc"


@contextmanager
def run(storage: Location, name: str = "exp", region: str = "neck") -> Iterator[ExperimentWriter]:
    """The writer of an experiment."""
    writer = ExperimentWriter(storage, region, name)
    try:
        yield writer
    finally:
        writer.close()


def begin(writer: ExperimentWriter, trial: str, **more: Any) -> None:
    """A trial of six epochs."""
    writer.update_trial(trial, status="running", started_at=now(), epochs=0, **{"config/epochs": 6, **more})
    writer.flush()


def epoch(writer: ExperimentWriter, trial: str, number: int, score: float, **more: Any) -> None:
    """One more epoch of a trial."""
    metrics = {"epoch": number, "images": 10, METRIC: score}
    writer.update_trial(trial, **{"epochs": number, "seconds": 10.0 * number, "gpu_seconds": 0.0, **more})
    writer.add_epoch(trial, metrics)
    writer.record_best(trial, metrics, None)
    writer.flush()
