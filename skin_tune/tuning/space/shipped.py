"""The search spaces that come with the package."""

from pathlib import Path

from skin_tune.storage.files import is_regular


def find_space(region: str, given: Path | None = None) -> Path:
    """The search space to use: the `given` one, else the region's own, else the default.

    Those that come with the package are found wherever a command is run from: a script that was copied to another
    machine may say ``search_spaces/sample.yaml``, too.
    """
    package = Path(__file__).parents[2]
    folder = next(path for path in (package / "search_spaces", package.parent / "search_spaces") if path.is_dir())
    if given is not None:
        ours = folder / given.name
        is_ours = given.parent in (Path(), Path("search_spaces")) and is_regular(ours)
        return ours if is_ours and not given.exists() else given
    own = folder / f"{region}.yaml"
    return own if own.is_file() else folder / "default.yaml"
