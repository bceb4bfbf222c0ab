"""The only owner of file and folder names under a storage root."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skin_tune.errors import ExperimentError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_experiment_name(name: str) -> str:
    """`name` itself, if it can be a folder name; raises ExperimentError otherwise."""
    if not _NAME.fullmatch(name):
        raise ExperimentError(f"experiment name {name!r} may hold only letters, digits, '.', '_' and '-'")
    return name


@dataclass(frozen=True)
class RunPaths:
    """Where everything that experiments leave behind lies, under one storage root."""

    storage: Path

    @property
    def results(self) -> Path:
        return self.storage / "results"

    @property
    def ray(self) -> Path:
        """Ray's own notes on runs; nothing reads them once a run has ended."""
        return self.storage / "ray"

    def partition(self, table: str, region: str, experiment: str) -> Path:
        """Hive partition of one experiment in one table of the results store."""
        return self.results / table / f"region={region}" / f"experiment={experiment}"

    def experiments(self, region: str) -> Path:
        return self.storage / "experiments" / region

    def experiment(self, region: str, experiment: str) -> Path:
        return self.experiments(region) / experiment

    def asked(self, region: str, experiment: str) -> Path:
        """What an experiment was started with, to be held against what it is resumed with."""
        return self.experiment(region, experiment) / "asked.json"

    def lock(self, region: str, experiment: str) -> Path:
        """Held by the one run that writes an experiment."""
        return self.experiment(region, experiment) / "lock"

    def search_journal(self, region: str, experiment: str) -> Path:
        return self.experiment(region, experiment) / "search.log"

    def wandb_state(self, region: str, experiment: str, trial_id: str) -> Path:
        """Which wandb run is a trial's, and up to which epoch it has been logged."""
        return self.experiment(region, experiment) / "wandb" / f"{trial_id}.json"

    def refit(self, region: str, experiment: str, model: str) -> Path:
        """A refitted model and everything that is known of it."""
        return self.experiment(region, experiment) / "refit" / model

    def checkpoints(self, region: str, experiment: str, trial_id: str) -> Path:
        return self.experiment(region, experiment) / "checkpoints" / trial_id


def pack_path(folder: Path, region: str, size: int) -> Path:
    """Where `prepare` puts the pack of a region."""
    return folder / f"{region}-{size}.arrow"


def quarantine_path(pack: Path) -> Path:
    """The table of unusable rows beside a pack."""
    return pack.with_suffix(".quarantine.csv")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def find_space(region: str, given: Path | None = None) -> Path:
    """The search space to use: the `given` one, else the region's own, else the default.

    Those that come with the package are found wherever a command is run from: a script that was copied to another
    machine may say ``search_spaces/sample.yaml``, too.
    """
    package = Path(__file__).parent
    folder = next(path for path in (package / "search_spaces", package.parent / "search_spaces") if path.is_dir())
    if given is not None:
        ours = folder / given.name
        is_ours = given.parent in (Path(), Path("search_spaces")) and ours.is_file()
        return ours if is_ours and not given.exists() else given
    own = folder / f"{region}.yaml"
    return own if own.is_file() else folder / "default.yaml"
