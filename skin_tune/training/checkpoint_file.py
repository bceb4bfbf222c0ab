"""Whether there is a checkpoint at all: asked before PyTorch, which takes seconds to load."""

import os

from skin_tune.errors import CheckpointError
from skin_tune.storage.files import Location, is_local, is_regular


def check_is_file(path: Location) -> None:
    """Raise CheckpointError where there is no file at `path`, or a folder, a pipe or a device."""
    if not is_regular(path):
        there = is_local(path) and os.path.lexists(path)
        raise CheckpointError(f"checkpoint {str(path)!r} {'is not a regular file' if there else 'does not exist'}")
