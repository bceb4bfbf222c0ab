"""Reader of wandb's files on disk: wandb keeps no other account of what a kill has left.

wandb's core writes a run's records in blocks of 32 KB: after a kill the last ones, or all of them, are not there,
however long ago they were logged. Its files are logs of LevelDB's format behind a header of their own:
https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

_BLOCK, _HEADER, _FILE_HEADER = 32768, 7, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class OnDisk:
    """All files of one run id together."""

    steps: set[int] = field(default_factory=set)
    status: str | None = None
    """Status in the summary that was written last."""
    ended: bool = False
    """Whether the file that was written last was closed."""


def on_disk(folder: Path, run_id: str) -> OnDisk:
    """Read all files of `run_id` below `<folder>/wandb`, online and offline ones."""
    found = OnDisk()
    name = glob.escape(run_id)
    files = folder.glob(f"wandb/*run-*-{name}/run-{name}.wandb")
    for file in sorted(files, key=lambda file: file.parent.name.partition("run-")[2]):  # by their time
        found.ended = False
        for data in _records(file.read_bytes()):
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(data)
            _add(found, record)
    return found


def _records(log: bytes) -> Iterator[bytes]:
    """The whole records of a file, up to where it was cut off."""
    at, parts = _FILE_HEADER, b""
    while at + _HEADER <= len(log):
        if _BLOCK - at % _BLOCK < _HEADER:
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or at + _HEADER + length > len(log):
            return
        parts += log[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""


def _add(found: OnDisk, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "history":
        values = {(item.key or item.nested_key[0]): item.value_json for item in record.history.item}
        if "epoch" in values:
            found.steps.add(int(json.loads(values["epoch"])))
    elif kind == "summary":
        for item in record.summary.update:
            if (item.key or item.nested_key[0]) == "status":
                found.status = json.loads(item.value_json)
    elif kind == "exit":
        found.ended = True
