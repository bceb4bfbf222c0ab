"""Folders for a while on this machine's own disk; those of processes that were killed are found and removed."""

import fcntl
import glob
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

_PREFIX = "skin-tune-"
_IN_USE = ".in-use"


class ScratchFolder:
    """A new folder, removed at the end of the `with` block, by `remove`, with this object or with the process.

    Its owner holds a lock in it, which the operating system gives back when it dies: by that `remove_abandoned` tells
    the folder of a process that was killed.
    """

    def __init__(self, purpose: str = "", beside: Path | None = None, prefix: str = _PREFIX):
        self.path = Path(tempfile.mkdtemp(prefix=f"{prefix}{purpose}-" if purpose else prefix, dir=beside))
        lock = (self.path / f"{_IN_USE}.new").open("w")
        self._finalizer = weakref.finalize(self, _remove, self.path, lock)
        with suppress(OSError):  # a file system without locks: nobody takes the folder for an abandoned one
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(lock.name).rename(self.path / _IN_USE)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the folder and all that is in it, as far as that can be removed."""
        self._finalizer()


def remove_abandoned(folder: Path | None = None, prefix: str = _PREFIX) -> None:
    """Remove the scratch folders in `folder` (the machine's own if None) whose processes have died.

    Those of other users, and what is no scratch folder, stay.
    """
    for path in Path(folder or tempfile.gettempdir()).glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError), (path / _IN_USE).open("r+") as lock:
            if os.fstat(lock.fileno()).st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its owner is alive where this fails
                shutil.rmtree(path, ignore_errors=True)


def _remove(folder: Path, lock: IO[Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()
