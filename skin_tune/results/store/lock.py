"""One run at a time for each experiment, whichever machine of a shared storage it is on."""

import fcntl
import hashlib
import os
import socket
import threading
from typing import Any, Protocol

from skin_tune.errors import StoreError
from skin_tune.results.store.schema import now
from skin_tune.storage.files import (
    Location,
    cache_folder,
    cannot_write,
    is_local,
    is_regular,
    remove_half_written,
    was_removed,
)
from skin_tune.storage.run_paths import RunPaths
from skin_tune.storage.scratch import remove_abandoned

_BEAT_SECONDS = 20
DEAD_SECONDS = 90
"""So long after its last beat the holder of a lock in a bucket counts as dead."""


class ExperimentLock(Protocol):
    """Held until `release`, or to the end of the process, however it ends."""

    def check(self) -> None:
        """Raise StoreError where another run has taken the experiment over, or its folder was removed."""

    def release(self) -> None:
        """Let another run have the experiment."""

    def discard(self) -> None:
        """Release it, and leave no trace of it."""


def lock_experiment(storage: Location, region: str, experiment: str) -> ExperimentLock:
    """The lock of an experiment; what runs that were killed have left half-written is removed.

    Raises StoreError where another process holds it, or `storage` cannot be written.
    """
    paths = RunPaths(storage)
    path = paths.lock(region, experiment)
    lock: ExperimentLock = FileLock(path, experiment) if is_local(path) else BucketLock(path, experiment)
    for folder in paths.written(region, experiment):
        remove_half_written(folder)
    remove_abandoned()
    return lock


class FileLock:
    """A lock that the operating system gives back when its holder dies.

    `holder` is what it says of this process, `found` what it said of an earlier one.
    """

    def __init__(self, path: Location, experiment: str):
        self.holder = f"process {os.getpid()} on {socket.gethostname()} since {now():%Y-%m-%d %H:%M:%S.%f}"
        self._path = path
        if path.exists() and not is_regular(path):
            raise StoreError(f"{str(path)!r} is not a regular file")
        self._made = [folder for folder in path.parents if not folder.exists()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+")
        except OSError as error:
            raise cannot_write(path.parent, error) from None
        self._file.seek(0)
        self.found = self._file.read().strip()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise _held(experiment, self.found or "another process") from None
        self._file.truncate(0)
        self._file.write(f"{self.holder}\n")
        self._file.flush()

    def check(self) -> None:
        """A file lock cannot be taken over, but its folder can be deleted and recreated by another run."""
        check_storage(self._path, self._file.fileno())

    def release(self) -> None:
        self._file.close()

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:  # something else lives there by now
                return


def check_storage(lock: Location, held: int | None = None) -> None:
    """Raise StoreError where the experiment of the file `lock` was removed under its run, or made anew by another.

    `held` is the descriptor of the lock where this process holds it. A folder that was removed is not to come into
    being again without its lock. In a bucket there are no folders.
    """
    if not is_local(lock):
        return
    try:
        there = lock.stat()
    except FileNotFoundError:
        raise was_removed(lock.parent) from None
    except OSError as error:
        raise cannot_write(lock.parent, error) from None
    if held is not None and not os.path.samestat(there, os.fstat(held)):
        raise StoreError(f"{was_removed(lock.parent)}, and made anew by another one")


class BucketLock:
    """An object that its holder writes again and again, each time only if it is still its own.

    A second lock on this machine's disk tells at once, and for certain, that a holder that was here has died.
    """

    def __init__(self, path: Any, experiment: str):
        self._path, self._experiment = path, experiment
        name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
        self._here = FileLock(cache_folder() / "locks" / name, experiment)
        self._lost = False
        try:
            self._etag = self._taken()
        except OSError as error:
            self._here.release()
            raise cannot_write(path.parent, error) from None
        except StoreError:
            self._here.release()
            raise
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def check(self) -> None:
        if self._lost:
            raise StoreError(f"experiment {self._experiment!r} was taken over by another run while this one was away")

    def release(self) -> None:
        self._over.set()
        self._beating.join(timeout=_BEAT_SECONDS)
        if not self._lost:
            self._path.unlink(missing_ok=True)
        self._here.release()

    discard = release

    def _taken(self) -> str:
        content = self._here.holder.encode()
        try:
            return str(self._path.write_if(content, None))
        except FileExistsError:
            etag, age = self._path.version()
            holder = self._path.read_text()
        if holder not in (self._here.holder, self._here.found) and age < DEAD_SECONDS:
            raise _held(self._experiment, f"{holder}, last heard of {age:.0f} s ago")
        try:
            return str(self._path.write_if(content, etag))
        except FileExistsError:
            raise _held(self._experiment, "another process since a moment ago") from None

    def _beat(self) -> None:
        while not self._over.wait(_BEAT_SECONDS):
            try:
                self._etag = self._path.write_if(self._here.holder.encode(), self._etag)
            except FileExistsError:
                if not self._is_still_ours():
                    return
            except OSError:
                continue  # the bucket is away: so it is for the others

    def _is_still_ours(self) -> bool:
        """A conflict may be our own: if the reply was lost, the retry finds the object that was written already."""
        try:
            self._etag, _ = self._path.version()
            self._lost = self._path.read_text() != self._here.holder
        except FileNotFoundError:
            self._lost = True
        except OSError:
            return True
        return not self._lost


def _held(experiment: str, holder: str) -> StoreError:
    return StoreError(f"experiment {experiment!r} is being run by {holder}; wait for its end, or give another --name")
