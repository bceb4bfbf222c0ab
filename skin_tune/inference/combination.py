"""Several models as one file: a model that grades by the mean of their probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

from skin_tune.errors import CheckpointError
from skin_tune.storage.files import Location
from skin_tune.training.checkpoint import load_checkpoint

_COMMON = ("classes", "ordinal", "region", "pack_id", "pack_size")


def combined_content(files: Sequence[Location], metric: str) -> dict[str, Any]:
    """Content of a model file that combines those of `files`, all of one pack; it decides as `metric` says.

    Raises CheckpointError for a file that holds no model, or one of a version that did not keep its prior.
    """
    members = [_member(file, metric) for file in files]
    return {**{name: members[0][name] for name in _COMMON}, "metric": metric, "members": members}


def _member(file: Location, metric: str) -> Mapping[str, Any]:
    content = load_checkpoint(file)
    if "prior" not in content:
        raise CheckpointError(f"{str(file)!r} is of a version that did not keep the prior it was trained under")
    return {**{name: value for name, value in content.items() if name != "format_version"}, "metric": metric}
