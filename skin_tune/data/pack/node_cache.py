"""Files of a bucket on this machine's disk: fetched once, then mapped by every process here.

A copy is named by the hash of its content, so that another file of the same name cannot be taken for it.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from skin_tune.errors import EnvironmentVariableError, PackError
from skin_tune.storage.files import Location, atomic_write, cache_folder, download
from skin_tune.text.escaping import shown

_GIGABYTES = "100"
"""Most that all copies together take, unless SKIN_TUNE_CACHE_GB says otherwise."""


@contextmanager
def node_copy(source: Location, content_id: str, hashed: Callable[[Path], str]) -> Iterator[Path]:
    """Yield the copy of a bucket's `source`; it stays where it is while the caller opens it.

    One that is new, or has been touched since, is `hashed`. Raises PackError where that does not give `content_id`, and
    OSError where the bucket cannot be read or the cache not be written; EnvironmentVariableError where
    SKIN_TUNE_CACHE_GB is no size.
    """
    allowed = _allowed_gigabytes() * 1e9
    folder = cache_folder() / "packs"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / content_id
    with _lock(copy):
        if not _is_as_checked(copy):
            _fetch(source, copy, content_id, hashed)
            _make_room(folder, copy, allowed)
        os.utime(copy, ns=(time.time_ns(), copy.stat().st_mtime_ns))
        yield copy


def _fetch(source: Location, copy: Path, content_id: str, hashed: Callable[[Path], str]) -> None:
    for abandoned in copy.parent.glob(f".{copy.name}.*.tmp"):  # by a process that was killed: this one has the lock
        abandoned.unlink(missing_ok=True)
    with atomic_write(copy) as temporary:
        download(source, temporary)
        if (found := hashed(temporary)) != content_id:
            raise PackError(f"{str(source)!r} is damaged: its content is {found}, not {content_id}; prepare it again")
    _checked(copy).write_text(_state(copy))


def _is_as_checked(copy: Path) -> bool:
    return copy.is_file() and _checked(copy).is_file() and _checked(copy).read_text() == _state(copy)


def _state(copy: Path) -> str:
    about = copy.stat()
    return f"{about.st_size} bytes, written at {about.st_mtime_ns}"


def _allowed_gigabytes() -> float:
    given = os.environ.get("SKIN_TUNE_CACHE_GB") or _GIGABYTES
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise EnvironmentVariableError(f"SKIN_TUNE_CACHE_GB={shown(given)} is not a number of gigabytes, such as 100")
    return number


def _make_room(folder: Path, newest: Path, allowed: float) -> None:
    """Remove copies used longest ago, down to `allowed` bytes; a process that has one mapped keeps it all the same."""
    copies = [path for path in folder.iterdir() if not path.suffix and path != newest]
    allowed -= newest.stat().st_size
    for copy in sorted(copies, key=lambda path: path.stat().st_atime_ns, reverse=True):
        allowed -= copy.stat().st_size
        if allowed < 0:
            try:
                with _lock(copy, timeout=0):
                    copy.unlink()
                    _checked(copy).unlink(missing_ok=True)
            except Timeout:  # it is being opened
                continue


def _checked(copy: Path) -> Path:
    return copy.with_suffix(".checked")


def _lock(copy: Path, timeout: float = -1) -> FileLock:
    return FileLock(copy.with_suffix(".lock"), timeout=timeout)
