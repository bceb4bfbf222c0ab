"""A finished run as a trial of the store."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from skin_tune.config import FIELDS, TrialConfig
from skin_tune.errors import ConfigError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.results.store.schema import WANDB_RUN
from skin_tune.results.store.status import UNUSABLE
from skin_tune.storage.run_paths import refitted
from skin_tune.text.escaping import shown
from skin_tune.tuning.wandb_import.epochs import epochs_of
from skin_tune.tuning.wandb_import.renames import Renames
from skin_tune.tuning.wandb_import.run_files import WandbRun

CONFIG = "wandb_config"
"""Column of an imported trial: its whole config as it was logged, in JSON."""

_ENDS = ("completed", "stopped_early", *UNUSABLE)
_CAN_GO_ON = ("running", "interrupted")


@dataclass(frozen=True)
class ImportedTrial:
    """Rows of the store."""

    columns: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    best: Mapping[str, Any] | None
    """Its best epoch."""
    unused_metrics: frozenset[str]
    unused_config: frozenset[str]


def is_ours(run: WandbRun) -> bool:
    """Whether this program wrote a run: group, job type and name are those of the experiment, region and trial."""
    known = {"backbone", "train_loss", "oversample"} <= run.config.keys()
    return known and bool(run.group) and run.job_type in run.tags


def is_refit(run: WandbRun) -> bool:
    """Whether it is the run of a refit, which is no trial."""
    return is_ours(run) and bool(refitted(run.name)) and any(key.startswith("test_") for key in run.summary)


def is_finished(run: WandbRun) -> bool:
    """Whether a run was closed, and its trial cannot go on."""
    return run.exit_code is not None and run.summary.get("status") not in _CAN_GO_ON


def trial_of(run: WandbRun, renames: Renames) -> ImportedTrial:
    """The trial of a finished run.

    Its status is that which the run's summary says, as this program's do, else `completed`, or `failed` by its exit
    code. Its best epoch is the one that this program's summary names, else that of the highest metric that trials are
    chosen by, else of the lowest `val_loss`, else the last.
    """
    config, unused_config = _config(run.config, renames)
    epochs, unused_metrics = epochs_of(run.history, renames)
    status = run.summary.get("status")
    if status not in _ENDS:
        status = "failed" if run.exit_code else "completed"
    best, metric = _best(epochs, run.summary.get("best_epoch") if is_ours(run) else None)
    started_at, ended_at = run.started_at, _ended_at(run)
    columns = {
        "status": status,
        "epochs": epochs[-1]["epoch"] if epochs else 0,
        "seconds": _seconds(epochs, run),
        "seed": config.get("seed"),
        "metric": metric,
        "error": _error(run) if status in UNUSABLE else None,
        "started_at": started_at or ended_at,
        "ended_at": ended_at or started_at,
        WANDB_RUN: f"{run.project}/{run.run_id}",
        CONFIG: json.dumps(run.config, ensure_ascii=False),
        **{f"config/{name}": config.get(name) for name in FIELDS},
    }
    return ImportedTrial(columns, epochs, best, unused_metrics, unused_config)


def _config(logged: Mapping[str, Any], renames: Renames) -> tuple[dict[str, Any], frozenset[str]]:
    """Our hyper-parameters among what was logged, and the keys of the rest; those of nested values joined by points."""
    found: dict[str, Any] = {}
    unused = set()
    for key, value in sorted(_flat(logged), key=lambda item: item[0] in renames):  # those that are renamed go last
        name = renames.get(key, key)
        if name not in FIELDS:
            unused.add(key)
        elif value is not None:  # dead
            try:
                found[name] = TrialConfig.from_mapping({name: value}).to_dict()[name]
            except ConfigError:  # of another program, whose values are its own
                unused.add(f"{key}={shown(value)}")
    try:
        TrialConfig.from_stored(found)
    except ConfigError:  # its values contradict each other here
        return {}, frozenset(unused | {*found})
    return found, frozenset(unused)


def _flat(logged: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in logged.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _best(epochs: Sequence[Mapping[str, Any]], told: Any) -> tuple[Mapping[str, Any] | None, str | None]:
    """The best epoch, and the metric that it is the best by; None where it is told, or the last one."""
    for row in epochs:
        if row["epoch"] == told and not isinstance(told, bool):
            return row, None
    for metric in SELECTION_METRICS:
        if rows := [row for row in epochs if row.get(metric) is not None]:
            return max(rows, key=lambda row: row[metric]), metric
    if rows := [row for row in epochs if row.get("val_loss") is not None]:
        return min(rows, key=lambda row: row["val_loss"]), None
    return (epochs[-1] if epochs else None), None


def _seconds(epochs: Sequence[Mapping[str, Any]], run: WandbRun) -> float | None:
    """Those of its epochs, or those from its start to its last row."""
    seconds = [row["epoch_seconds"] for row in epochs if row.get("epoch_seconds") is not None]
    if seconds and len(seconds) == len(epochs):
        return float(sum(seconds))
    last = run.history[-1].get("_runtime") if run.history else None
    return float(last) if isinstance(last, int | float) else None


def _ended_at(run: WandbRun) -> datetime | None:
    """When the last row was logged."""
    stamp = run.history[-1].get("_timestamp") if run.history else None
    try:
        return datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None


def _error(run: WandbRun) -> str:
    error = run.summary.get("error")
    return error if isinstance(error, str) else f"the run ended with exit code {run.exit_code}"
