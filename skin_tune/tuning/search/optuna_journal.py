"""The file in which Optuna keeps what it has asked and been told."""

import json
import os

from skin_tune.errors import StoreError
from skin_tune.storage.files import Location, download, is_local, is_regular, upload
from skin_tune.storage.scratch import ScratchFolder

OPTUNAS_LOCK = ".lock"
"""Suffix of the lock file that Optuna holds while it writes a journal."""


class Journal:
    """A `file` on this machine: `kept` itself, or where that is in a bucket, a copy that `save` brings there.

    Whoever makes one holds the experiment's lock: nobody else writes to the file.
    """

    def __init__(self, kept: Location):
        self._kept, self._saved = kept, 0
        if is_local(kept):
            self.file = kept
            self.file.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._folder = ScratchFolder("journal")
            self.file = self._folder.path / kept.name
            if kept.is_file():
                download(kept, self.file)
                self._saved = self.file.stat().st_size
        if self.file.exists() and not is_regular(self.file):
            raise StoreError(f"{str(self.file)!r} is not a regular file")
        # Left by a run that was killed while it wrote, it would be waited for, for half a minute.
        self.file.with_name(self.file.name + OPTUNAS_LOCK).unlink(missing_ok=True)
        if self.file.is_file():
            cut_to_whole_records(self.file)

    def save(self) -> None:
        """Bring what has been added to where it is kept."""
        size = self.file.stat().st_size if self.file.is_file() else 0
        if not is_local(self._kept) and size > self._saved:
            upload(self.file, self._kept)
            self._saved = size


def cut_to_whole_records(file: Location) -> None:
    """Cut a file of JSON objects, one a line, back to those before the first that is not whole.

    A loss of power or a full disk leaves half a line at the end, or blocks of zeros: what is appended to that can never
    be read again. What was lost with it, the store knows.
    """
    whole = 0
    with file.open("r+b") as journal:
        for line in journal:
            if not _is_record(line):
                break
            whole += len(line)
        if whole < os.fstat(journal.fileno()).st_size:
            journal.truncate(whole)
            os.fsync(journal.fileno())


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
