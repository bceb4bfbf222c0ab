"""Files that are no regular ones, in the places of those that commands read."""

import os
from pathlib import Path


def pipe(path: Path) -> Path:
    """Put a pipe at `path`, which nobody ever writes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path
