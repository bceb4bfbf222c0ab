"""One run at a time for each experiment, whichever machine of a shared storage it is on."""

import fcntl
import os
import socket
from pathlib import Path

from skin_tune.errors import StoreError


class ExperimentLock:
    """Held from construction to `release`, or to the end of the process, however it ends.

    Raises StoreError where another process holds it, or the folder cannot be written.
    """

    def __init__(self, path: Path, experiment: str):
        self._path = path
        self._made = [folder for folder in path.parents if not folder.exists()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+")
        except OSError as error:
            raise StoreError(f"cannot write to {str(path.parent)!r}: {error.strerror or error}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise StoreError(
                f"experiment {experiment!r} is being run by {holder}; wait for its end, or give another --name"
            ) from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another run have the experiment."""
        self._file.close()

    def discard(self) -> None:
        """Release it, and remove the folders that were made for it, so far as they are empty."""
        self._path.unlink(missing_ok=True)
        self._file.close()
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:  # something else lives there by now
                return
