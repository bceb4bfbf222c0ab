"""Reader of wandb's files on disk: wandb keeps no other account of what a kill has left.

wandb's core writes a run's records in blocks of 32 KB: after a kill the last ones, or all of them, are not there,
however long ago they were logged. Its files are logs of LevelDB's format behind a header of their own:
https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import glob
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

_BLOCK, _HEADER, _FILE_HEADER = 32768, 7, 7
_MAGIC = b":W&B\xe1\xbe\x00"
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
        for record in records(file.read_bytes()):
            _add(found, record)
    return found


def records(log: bytes) -> Iterator[Any]:
    """The whole records of a file, up to where it was cut off, as wandb's `Record`."""
    parts = b""
    for _, kind, data in _fragments(log):
        parts += data
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(parts)
            yield record
            parts = b""


def is_intact(log: bytes) -> bool:
    """Whether a file is wandb's, and each part of it, up to where it was cut off, is as it was written."""
    if not log.startswith(_MAGIC[: len(log)]):
        return False
    return all(checksum == zlib.crc32(bytes([kind]) + data) for checksum, kind, data in _fragments(log))


def _fragments(log: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Checksum, kind and data of each part of a record."""
    at = _FILE_HEADER
    while at + _HEADER <= len(log):
        if _BLOCK - at % _BLOCK < _HEADER:
            at += _BLOCK - at % _BLOCK
            continue
        checksum = int.from_bytes(log[at : at + 4], "little")
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or at + _HEADER + length > len(log):
            return
        yield checksum, kind, log[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length


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
