"""Runs as wandb's files on disk hold them, whoever wrote them: what has no meaning yet for the store."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are a package of their own

from skin_tune.errors import StoreError
from skin_tune.storage.files import is_regular
from skin_tune.tuning.tracking.wandb_files import is_intact, records

_PLACES = ("run-*.wandb", "*run-*/run-*.wandb", "wandb/*run-*/run-*.wandb")
"""Files of one run, of a wandb folder, and of the folder that it is in."""


@dataclass
class WandbRun:
    """All files of one run id together; a run that was resumed has several."""

    run_id: str
    project: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    sweep: str = ""
    tags: Sequence[str] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row for each call of `log`, in their order; keys of nested values are joined by points."""
    summary: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    exit_code: int | None = None
    """None: the run goes on, or was killed."""
    damage: str = ""
    """Which of its files cannot be read, in words; empty where all can."""


def find_runs(folder: Path) -> dict[str, list[Path]]:
    """The files of each run id in a wandb folder, in the folder around it, or in the folder of one run; oldest first.

    Raises StoreError where there are none.
    """
    if not folder.is_dir():
        raise StoreError(f"{str(folder)!r} is not a folder; give the folder `wandb` of your runs, or that of one run")
    for pattern in _PLACES:
        files = [file for file in folder.glob(pattern) if is_regular(file)]
        if files:
            break
    else:
        raise StoreError(f"{str(folder)!r} holds no run-ID.wandb, nor does a folder *run-* in it")
    found: dict[str, list[Path]] = {}
    for file in sorted(files, key=lambda file: file.parent.name.partition("run-")[2]):  # by their time
        found.setdefault(file.stem.removeprefix("run-"), []).append(file)
    return found


def read_run(run_id: str, files: Sequence[Path]) -> WandbRun:
    """A run from its files, oldest first; one of which a file cannot be read has `damage`, and nothing else counts."""
    run = WandbRun(run_id)
    for file in files:
        run.exit_code = None  # of an earlier part, which was resumed
        try:
            log = file.read_bytes()
            if not is_intact(log):
                run.damage = f"{file.parent.name}/{file.name} is no file of wandb's, or is damaged"
                return run
            for record in records(log):
                _add(run, record)
        except OSError as error:
            run.damage = f"{file.parent.name}/{file.name} cannot be read: {error.strerror or error}"
        except DecodeError:
            run.damage = f"{file.parent.name}/{file.name} holds what is no record of wandb's"
    return run


def _add(run: WandbRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        about = record.run
        run.project, run.name, run.group = about.project, about.display_name, about.run_group
        run.job_type, run.sweep, run.tags = about.job_type, about.sweep_id, list(about.tags)
        run.started_at = run.started_at or _time(about.start_time)
        run.config |= _values(about.config.update)
    elif kind == "config":
        run.config |= _values(record.config.update)
    elif kind == "history":
        run.history.append(_values(record.history.item))
    elif kind == "summary":
        run.summary |= _values(record.summary.update)
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _values(items: Iterable[Any]) -> dict[str, Any]:
    """Values by their keys; what is no JSON is left out."""
    found: dict[str, Any] = {}
    for item in items:
        key = item.key or ".".join(item.nested_key)
        try:
            value = json.loads(item.value_json)
        except (ValueError, RecursionError):
            continue
        if not key.startswith("_wandb"):
            found[key] = value
    return found


def _time(stamp: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, UTC) if stamp.seconds else None
    except (ValueError, OverflowError, OSError):
        return None
