"""What wandb's offline files hold, read back record by record."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # wandb has stubs for another protobuf

# The files are logs of LevelDB's format: https://github.com/google/leveldb/blob/main/doc/log_format.md
_BLOCK, _HEADER, _FILE_HEADER = 32768, 7, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class OfflineRun:
    """The files of one run id, joined in the order they were written."""

    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    models: list[Any] = field(default_factory=list)
    """Artifacts of the type of models; wandb makes one of a chart's table, too."""


def offline_runs(storage: Path) -> dict[str, OfflineRun]:
    """Every run below `storage`, by its id."""
    runs: dict[str, OfflineRun] = {}
    for file in sorted(storage.glob("wandb/offline-run-*/run-*.wandb")):
        run = runs.setdefault(file.stem.removeprefix("run-"), OfflineRun())
        for data in _records(file.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            _add(run, record)
    return runs


def _records(log: bytes) -> Iterator[bytes]:
    at, parts = _FILE_HEADER, b""
    while at + _HEADER <= len(log):
        if _BLOCK - at % _BLOCK < _HEADER:
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or at + _HEADER + length > len(log):  # cut off by a kill
            return
        parts += log[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""


def _add(run: OfflineRun, record: Record) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.name, run.group, run.job_type = record.run.display_name, record.run.run_group, record.run.job_type
        run.tags = list(record.run.tags)
        run.config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    elif kind == "history":
        items = {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
        run.steps.append(items)
    elif kind == "summary":
        run.summary |= {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.summary.update}
    elif kind == "artifact" and record.artifact.type == "model":
        run.models.append(record.artifact)
    elif kind == "exit":
        run.exit_code = record.exit.exit_code
