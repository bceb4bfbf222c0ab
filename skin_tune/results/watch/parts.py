"""Files of a table that are read again only once they have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from skin_tune.results.store.table_file import read_table
from skin_tune.storage.files import Location, is_local, location


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written anew."""

    version: tuple[Any, ...]
    written_at: float
    """Seconds since the epoch."""


Stamps = dict[Location, Stamp]


def stamps(folder: Location, pattern: str) -> Stamps:
    """The files below `folder` that match `pattern`, in the order of their paths; none where there is no folder.

    A bucket is asked once, however many files there are.
    """
    if is_local(folder):
        return {path: stamp for path in sorted(folder.glob(pattern)) if (stamp := _stamp(path))}
    bucket_folder: Any = folder
    root: str = bucket_folder.path
    found = bucket_folder.fs.find(root, detail=True)
    return {
        location(f"s3://{key}"): Stamp((about.get("ETag"), about["size"]), about["LastModified"].timestamp())
        for key, about in sorted(found.items())
        if PurePosixPath(key).relative_to(root).match(pattern)
    }


def _stamp(path: Any) -> Stamp | None:
    try:
        about = path.stat()
    except OSError:  # removed since it was listed
        return None
    return Stamp((about.st_ino, about.st_size, about.st_mtime_ns), about.st_mtime)


class Parts:
    """Some columns of the files of a table."""

    def __init__(self, table: str, columns: Sequence[str]):
        self._table, self._columns = table, columns
        self._read: dict[Location, tuple[Stamp, pa.Table]] = {}

    def read(self, found: Stamps) -> list[pa.Table]:
        """The tables of `found`, each read if it has changed. Raises StoreError for what is no such file."""
        for file, stamp in found.items():
            if file not in self._read or self._read[file][0] != stamp:
                self._read[file] = stamp, read_table(file, self._table, self._columns)
        self._read = {file: self._read[file] for file in found}
        return [table for _, table in self._read.values()]
