"""Files on this machine's disks or in a bucket: where they are, and writing them whole or not at all."""

import glob
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, Union

from skin_tune.errors import EnvironmentVariableError, StoreError
from skin_tune.storage.scratch import ScratchFolder

if TYPE_CHECKING:
    from skin_tune.storage.bucket import BucketPath

Location: TypeAlias = Union[Path, "BucketPath"]
"""A path on this machine, or one in a bucket, which has what of Path is used on storages and packs."""

_HALF_WRITTEN = re.compile(r"\..+\.(?P<process>\d+)\.tmp")
_QUIET_SECONDS = 60


def location(given: "str | Location") -> Location:
    """A path on this machine, or one in a bucket where `given` is ``s3://bucket/name``.

    The latter is a BucketPath, which has what of Path is used on storages and packs. Raises StoreError for other URLs.
    """
    text = str(given)
    scheme, is_url, rest = text.partition("://")
    if not is_url:
        return Path(text)
    if scheme != "s3" or not rest or rest.startswith("/"):
        raise StoreError(f"{text!r} is neither a path nor of the form s3://bucket/name")
    from skin_tune.storage.bucket import BucketPath  # a third of a second that only buckets need

    found: Any = BucketPath(text.rstrip("/"))
    return found


def is_local(path: Location) -> TypeGuard[Path]:
    """Whether a path is on this machine's disks, not in a bucket."""
    return isinstance(path, Path)


def is_regular(path: Location) -> bool:
    """Whether there is a file at `path` that ends: no folder, and no pipe, device or socket, which can hang a reader.

    False, too, for a name that no file can have.
    """
    return os.path.isfile(path) if is_local(path) else path.is_file()  # noqa: PTH113  Path.is_file raises for the latter


def cache_folder() -> Path:
    """Folder for local copies of bucket files: SKIN_TUNE_CACHE, else below the user's own cache.

    Raises EnvironmentVariableError where that is in the home of a user that does not exist.
    """
    given = os.environ.get("SKIN_TUNE_CACHE") or "~/.cache/skin-tune"
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise EnvironmentVariableError(f"SKIN_TUNE_CACHE={given!r} is in a home folder that does not exist") from None


def sorted_glob(folder: Location, pattern: str) -> list[Location]:
    """The paths below `folder` that match `pattern`, sorted."""
    found: list[Any] = list(folder.glob(pattern))
    return sorted(found)


def cannot_write(path: object, error: OSError) -> StoreError:
    """The error for a file or folder that the system does not let this process write."""
    return StoreError(f"cannot write to {str(path)!r}: {error.strerror or error}")


def was_removed(folder: object) -> StoreError:
    """The error for a folder that somebody has removed from under a run."""
    return StoreError(f"{str(folder)!r} was removed while a run wrote to it")


@contextmanager
def atomic_write(path: Location, within: Location | None = None) -> Iterator[Path]:
    """Yield a temporary name on this machine; what was written there becomes `path`, in one step, on success.

    Folders that are missing are made, with `within` only those below it: raises StoreError where that was removed.
    """
    if is_local(path):
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            _make_folder(path.parent, within)
            yield temporary
            temporary.replace(path)
        except FileNotFoundError:
            if within is None or within.exists():
                raise
            raise was_removed(within) from None
        finally:
            temporary.unlink(missing_ok=True)
    else:
        with ScratchFolder("upload") as folder:
            yield folder / path.name
            upload(folder / path.name, path)


def _make_folder(folder: Path, within: Location | None) -> None:
    """Make one folder after the other: whoever removes `within` meanwhile does not find it made anew."""
    if within is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    for part in reversed((folder, *folder.parents)):
        if within in part.parents:
            part.mkdir(exist_ok=True)


def remove_half_written(folder: Location) -> None:
    """Remove what writers that were killed have left of `atomic_write` below `folder`.

    The caller holds the lock without which nobody else writes there. A bucket has nothing of the kind.
    """
    if is_local(folder):
        for path in folder.rglob(".*.tmp"):
            if _HALF_WRITTEN.fullmatch(path.name):
                path.unlink(missing_ok=True)


def remove_abandoned_writes(path: Location) -> None:
    """Remove what processes of this machine that were killed have left of writing `path`, for which there is no lock.

    One that has been written to within the last minute may be another machine's, and stays.
    """
    for found in path.parent.glob(f".{glob.escape(path.name)}.*.tmp") if is_local(path) else ():
        match = _HALF_WRITTEN.fullmatch(found.name)
        with suppress(OSError):
            quiet = time.time() - found.stat().st_mtime > _QUIET_SECONDS
            if match and quiet and not Path(f"/proc/{match['process']}").exists():
                found.unlink()


def upload(file: Path, path: Any) -> None:
    """Copy a local `file` to `path` in a bucket, where it appears as a whole."""
    path.fs.put_file(str(file), path.path)


def download(path: Any, file: Path) -> None:
    """Copy `path` in a bucket to a local `file`."""
    path.fs.get_file(path.path, str(file))


def remove_tree(folder: Location) -> None:
    """Remove a folder and all that is in it."""
    if is_local(folder):
        shutil.rmtree(folder)
    else:
        bucket_folder: Any = folder
        bucket_folder.rmdir(recursive=True)
