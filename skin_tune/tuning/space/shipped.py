"""The search spaces that come with the package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skin_tune.storage.files import is_regular

SCRATCH = "scratch.yaml"
"""The default space of networks that start from random weights, which need higher learning rates."""


def shipped_folder() -> Path:
    """The folder of the spaces that come with the package, wherever a command is run from."""
    package = Path(__file__).parents[2]
    return next(path for path in (package / "search_spaces", package.parent / "search_spaces") if path.is_dir())


def find_space(region: str, given: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Path:
    """The search space to use: the `given` one, else the region's own, else the default.

    The default is another for `overrides` that start from random weights. Shipped spaces are found by their name, too:
    a script that was copied to another machine may say ``search_spaces/sample.yaml``.
    """
    folder = shipped_folder()
    if given is not None:
        ours = folder / given.name
        is_ours = given.parent in (Path(), Path("search_spaces")) and is_regular(ours)
        return ours if is_ours and not given.exists() else given
    own = folder / f"{region}.yaml"
    if own.is_file():
        return own
    return folder / (SCRATCH if (overrides or {}).get("weights") == "none" else "default.yaml")
