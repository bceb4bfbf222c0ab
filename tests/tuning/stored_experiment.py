"""Experiments as their trials left them, written to a store without running any."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.spec import ExperimentSpec
from skin_tune.tuning.space.parameters import Space

SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "weights": "none",
    "image_size": 16,
    "batch_size": 16,
    "warmup_epochs": 0,
    "epochs": 2,
}
"""Hyper-parameters with which a test that trains takes moments."""
METRIC = "val_balanced_acc"


def trial_row(pack: Pack, score: float | None, status: str = "completed", **changes: Any) -> dict[str, Any]:
    """Columns of a trial of `pack` that is over; `changes` are hyper-parameters."""
    config = TrialConfig.from_mapping({**SMALL, **changes})
    reached = {} if score is None else {METRIC: score, "val_macro_f1": 1 - score, "best_epoch": config.epochs}
    return {
        "status": status,
        "epochs": 0 if score is None else config.epochs,
        "seed": config.seed,
        "pack_id": pack.info.pack_id,
        "started_at": now(),
        "ended_at": now(),
        **reached,
        **{f"config/{name}": value for name, value in config.to_dict().items()},
    }


def write_experiment(
    storage: Path, pack: Pack, rows: Mapping[str, Mapping[str, Any]], name: str = "exp", metric: str = METRIC
) -> None:
    """The experiment `name` of the pack's region, with `rows` by trial id, and its spec."""
    writer = ExperimentWriter(storage, pack.info.region, name)
    for trial_id, row in rows.items():
        writer.update_trial(trial_id, **row)
    writer.flush()
    writer.close()
    spec = ExperimentSpec.of(pack, Space("random", metric, ()), 0, len(rows), [])
    spec.write(RunPaths(storage).spec(pack.info.region, name))
