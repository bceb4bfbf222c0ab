"""The files behind an open pack: whether they are still what was mapped, and hold what they claim to hold.

A pack is mapped, never copied. Overwriting its file in place (`cp`, `rsync --inplace`) changes the numbers of every run
that has it open; shrinking it ends the process that reads beyond its end (SIGBUS, which Python cannot catch). So it is
looked at right before each read, and only a cut in the moment of the read itself is met too late. Renaming another pack
over it, as `prepare` does, does neither.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from skin_tune.errors import PackChangedError
from skin_tune.storage.files import cache_folder

_KEPT_SECONDS = 7 * 24 * 3600
"""How long a note that a run's pack was verified on this machine is kept."""


class _Watched:
    """A file and what it was when it was opened."""

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name
        self._file = path.open("rb")
        self.state = self.state_now()

    def state_now(self) -> tuple[int, int, int, int]:
        about = os.fstat(self._file.fileno())
        return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns

    @property
    def is_still_there(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False


class PackFile:
    """The files a pack is mapped from, open as long as this object lives; `name` stands for the first in messages."""

    def __init__(self, path: Path, name: str):
        self._files = [_Watched(path, name)]
        self._verified: Future[str] | None = None
        self._claimed = ""

    def watch(self, path: Path, name: str) -> None:
        """Watch another file as well: that of the pack's crops."""
        self._files.append(_Watched(path, name))

    @property
    def is_still_there(self) -> bool:
        """Whether the pack's file at its path is the one that was opened."""
        return self._files[0].is_still_there

    @property
    def replaced(self) -> str:
        """The name of a file in whose place another lies by now; empty where there is none."""
        return next((file.name for file in self._files if not file.is_still_there), "")

    def check(self) -> None:
        """Raise PackChangedError where a file has been written to since it was opened: one system call for each."""
        for file in self._files:
            if file.state_now() != file.state:
                raise PackChangedError(f"the pack has changed: {file.name!r} was written to while it was in use")

    def verify(self, claimed: str, content: Callable[[], str], run: str | None) -> None:
        """Begin to hold `content()`, in a thread, against the `claimed` one; `check_content` tells what came of it.

        A `run` has that done once on each machine.
        """
        self._claimed = claimed
        thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._verified = thread.submit(self._once, claimed, content, run)
        thread.shutdown(wait=False)

    def check_content(self) -> None:
        """Wait for what `verify` began. Raises PackChangedError where the file holds something else."""
        if self._verified is not None and (found := self._verified.result()) != self._claimed:
            name = self._files[0].name
            raise PackChangedError(f"the pack has changed: {name!r} claims to be {self._claimed}, and is {found}")

    def _once(self, claimed: str, content: Callable[[], str], run: str | None) -> str:
        if run is None:
            return content()
        try:
            folder = cache_folder() / "verified"
            folder.mkdir(parents=True, exist_ok=True)
            _remove_old(folder)
            note, state = folder / f"{run}-{claimed}", str([file.state for file in self._files])
            with FileLock(note.with_name(f"{note.name}.lock")):
                if note.is_file() and note.read_text() == state:
                    return claimed
                if (found := content()) == claimed:
                    note.write_text(state)
                return found
        except OSError:  # nothing can be noted here
            return content()


def _remove_old(folder: Path) -> None:
    for note in folder.iterdir():
        with suppress(OSError):
            if time.time() - note.stat().st_mtime > _KEPT_SECONDS:
                note.unlink()
