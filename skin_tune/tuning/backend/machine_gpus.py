"""Locks on this machine's GPUs for runs that each start a Ray of their own.

Two such Rays know nothing of each other and would both hand out the same GPU. A run holds a lock on each that it may
use until it ends, however it does; runs that join one cluster need none, since that shares its GPUs among them.
"""

import os
import socket
import subprocess

from skin_tune.errors import ClusterError, StoreError
from skin_tune.results.store.lock import FileLock
from skin_tune.storage.files import cache_folder

_SECONDS = 20
_held: list[FileLock] = []


def take() -> None:
    """Take the GPUs that CUDA_VISIBLE_DEVICES leaves to this process, all where it is not set.

    Raises ClusterError, with the run that has one of them, where another run has.
    """
    for gpu in visible_gpus():
        path = cache_folder() / "locks" / f"{socket.gethostname()}-gpu-{gpu}"
        try:
            _held.append(FileLock(path, gpu))
        except StoreError:
            release()
            holder = path.read_text().strip() if path.is_file() else ""
            if not holder:
                raise
            raise ClusterError(
                f"GPU {gpu} is in use by another run, {holder}, that started a Ray of its own; "
                "for runs that share GPUs start one Ray first, `ray start --head`, and both again; "
                "or give each its own with CUDA_VISIBLE_DEVICES, or none with --gpus-per-trial 0"
            ) from None


def release() -> None:
    """Release the GPUs of this run."""
    while _held:
        _held.pop().release()


def visible_gpus() -> list[str]:
    """Each GPU that this process may use by its UUID, or as CUDA_VISIBLE_DEVICES names it where that is not known."""
    known = _known_gpus()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(known.values())
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    if "-1" in names:  # as CUDA reads it: none from there on
        names = names[: names.index("-1")]
    return [known.get(name) or next((uuid for uuid in known.values() if uuid.startswith(name)), name) for name in names]


def _known_gpus() -> dict[str, str]:
    """UUIDs by index; empty on a machine without NVIDIA's driver."""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = [line.partition(",") for line in said.splitlines() if "," in line]
    return {index.strip(): uuid.strip() for index, _, uuid in pairs}
