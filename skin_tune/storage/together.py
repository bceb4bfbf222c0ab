"""Several files that appear together: all of them, or none."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from skin_tune.storage.files import Location, is_local, upload

_BEFORE = "before"
"""The folder, within that of the new files, that keeps what they replace until all are there."""


def move_together(files: Sequence[Path], folder: Location, obsolete: Sequence[str] = ()) -> None:
    """Move `files`, all of one folder, into `folder`, and remove what is named `obsolete` there: all of it or nothing.

    Where one cannot be moved, or a signal comes, those that were are taken back and what they replaced is put back. On
    this machine's disks no file is missing meanwhile, and none is seen half-written; both folders are of one file
    system. What was replaced in a bucket does not come back; once that has begun the files moved so far stay, since
    later ones may need earlier ones.
    """
    if not is_local(folder):
        _upload_together(files, folder, obsolete)
        return
    before = files[0].parent / _BEFORE
    before.mkdir()
    new: list[str] = []
    try:
        for name in [*(file.name for file in files), *obsolete]:
            target = folder / name
            if os.path.lexists(target):
                with suppress(OSError):  # a file system without hard links: what is replaced cannot come back
                    os.link(target, before / name, follow_symlinks=False)
            else:
                new.append(name)
        for file in files:
            file.replace(folder / file.name)
        for name in obsolete:
            (folder / name).unlink(missing_ok=True)
    except BaseException:
        kept = {old.name for old in before.iterdir()}
        for name in kept:
            (before / name).replace(folder / name)
        if all(file.exists() or file.name in kept or file.name in new for file in files):  # else one cannot come back
            for name in new:
                (folder / name).unlink(missing_ok=True)
        raise


def _upload_together(files: Sequence[Path], folder: Location, obsolete: Sequence[str]) -> None:
    new = [folder / file.name for file in files if not (folder / file.name).exists()]
    replacing = False
    try:
        for file in files:
            replacing = replacing or folder / file.name not in new
            upload(file, folder / file.name)
        for name in obsolete:
            (folder / name).unlink(missing_ok=True)
    except BaseException:
        if not replacing:
            for path in new:
                path.unlink(missing_ok=True)
        raise
