"""Files a training run leaves: `last.pt` to go on from, `best.pt` the model to use."""

import copy
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from skin_tune.config import TrialConfig
from skin_tune.data.pack.layout.field_rules import is_whole
from skin_tune.errors import CheckpointError
from skin_tune.model.tensor_file import read_tensors
from skin_tune.storage.files import Location, atomic_write
from skin_tune.text.escaping import shown
from skin_tune.training.checkpoint_checks import check_entries, check_run
from skin_tune.training.checkpoint_file import check_is_file

FORMAT_VERSION = 1


def save_checkpoint(path: Location, content: dict[str, Any], within: Location | None = None) -> None:
    """Write `content` (plain values and tensors) to `path` in one step: a reader sees the old file or the new one.

    Raises OSError where the disk is full or cannot be written, StoreError where the folder `within` was removed.
    """
    with atomic_write(path, within) as temporary, temporary.open("wb") as file:
        try:
            torch.save({"format_version": FORMAT_VERSION, **content}, file)
        except RuntimeError as error:  # torch's words for a full disk name a position in the file
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


class BackgroundSaver:
    """Saves one checkpoint at a time, of the moment it was asked to, while training goes on."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._saving: Future[None] | None = None

    def save(self, path: Location, content: dict[str, Any], within: Location | None = None) -> None:
        """Begin to do what `save_checkpoint` does, on a copy of `content` where its tensors are."""
        self.wait()
        self._saving = self._thread.submit(save_checkpoint, path, copy.deepcopy(content), within)

    def wait(self) -> None:
        """Return once what was begun is on disk. Raises what `save_checkpoint` does where it could not be written."""
        saving, self._saving = self._saving, None
        if saving is not None:
            saving.result()


def load_checkpoint(path: Location) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. Entries that are known are what they should be, or are not there.

    Raises CheckpointError for a missing, foreign or differently versioned file.
    """
    check_is_file(path)
    try:
        content: Any = read_tensors(path)
    except ValueError as error:
        raise CheckpointError(
            f"{str(path)!r} is not a checkpoint: {error}; only those that skin-tune has written are read"
        ) from None
    if not isinstance(content, dict) or "format_version" not in content:
        raise CheckpointError(f"{str(path)!r} is not a checkpoint of skin-tune")
    version = content["format_version"]
    if not is_whole(version) or version != FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has format version {shown(version)}, this program reads {FORMAT_VERSION}"
        )
    with _named(path):
        check_entries(content)
    return content


def load_run(path: Location) -> dict[str, Any]:
    """Read the checkpoint of a run that is to go on. Raises CheckpointError for one that holds a model alone."""
    content = load_checkpoint(path)
    resumable_config(path, content)
    return content


def resumable_config(path: Location, content: dict[str, Any]) -> TrialConfig:
    """The config a checkpoint was trained with. Raises CheckpointError for one that holds a model alone."""
    if "optimizer" not in content:
        raise CheckpointError(f"{str(path)!r} holds a model alone; resume from the last.pt beside it")
    with _named(path):
        check_run(content)
    return TrialConfig.from_stored(content["config"])


@contextmanager
def _named(path: Location) -> Iterator[None]:
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"checkpoint {str(path)!r} cannot be used: {error}") from None
