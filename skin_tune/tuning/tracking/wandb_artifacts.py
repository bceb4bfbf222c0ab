"""Models as wandb artifacts: files that are named one by one, so that nothing else goes with them."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import wandb

from skin_tune.storage.files import download, is_local, location
from skin_tune.storage.scratch import ScratchFolder

CHAMPION = "champion"
"""Alias of the version that was logged last; wandb calls it `latest`, too."""

_OTHER = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST = 128
"""wandb's server takes so many characters of this kind; its client refuses no more than a slash."""
_TOLD_APART = 8


def artifact_name(region: str, experiment: str) -> str:
    """``forehead_wrinkle-first``: the artifact of an experiment's models, each of them a version of it.

    A name that wandb does not take is cut and changed, and ends in a hash of what it was.
    """
    name = f"{region}-{experiment}"
    plain = _OTHER.sub("_", name)
    if plain == name and len(name) <= _LONGEST:
        return name
    return f"{plain[: _LONGEST - _TOLD_APART - 1]}-{hashlib.sha256(name.encode()).hexdigest()[:_TOLD_APART]}"


def log_model(run: Any, name: str, files: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
    """Log an artifact of type `model` with `files`, where each is by its name there, to an open wandb run.

    A file on this machine is not copied: offline, wandb's record says where it is, and `wandb sync` reads it there. Of
    one in a bucket wandb keeps a copy of its own until then.
    """
    artifact = wandb.Artifact(name, type="model", metadata=dict(metadata))
    with ExitStack() as until_added:
        for inside, path in files.items():
            file = location(path)
            if is_local(file):
                artifact.add_file(str(file), name=inside, skip_cache=True, policy="immutable")
            else:
                copy: Path = until_added.enter_context(ScratchFolder("artifact")) / inside
                download(file, copy)
                artifact.add_file(str(copy), name=inside, skip_cache=True)
    run.log_artifact(artifact, aliases=[CHAMPION])
