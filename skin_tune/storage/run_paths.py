"""The only owner of file and folder names under a storage root."""

import glob
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.errors import EnvironmentVariableError, ExperimentError, StoreError
from skin_tune.scratch import ScratchFolder
from skin_tune.text import has_control, shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_EXPERIMENT = 200
"""Its files are named by its trials, whose names begin with its own: file systems take 255 bytes."""
_HALF_WRITTEN = re.compile(r"\..+\.(?P<process>\d+)\.tmp")
_QUIET_SECONDS = 60


def check_experiment_name(name: Any) -> str:
    """`name` itself, if it can be a folder name; raises ExperimentError otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ExperimentError(f"experiment name {shown(name)} may hold only letters, digits, '.', '_' and '-'")
    if len(name) > _LONGEST_EXPERIMENT:
        raise ExperimentError(f"experiment name {shown(name)} has more than {_LONGEST_EXPERIMENT} characters")
    return name


def one_name(name: str) -> str:
    """`name` itself, if it names one file or folder where it is put; raises StoreError for one that leads elsewhere.

    Names of regions, experiments and trials are read from stores, and those may come from anybody.
    """
    if name in ("", ".", "..") or "/" in name or has_control(name) or len(name.encode()) > 255:
        raise StoreError(f"{shown(name)} cannot be the name of a region, experiment or trial")
    return name


def location(given: str | os.PathLike[str]) -> Path:
    """A path on this machine, or one in a bucket where `given` is ``s3://bucket/name``.

    The latter is a BucketPath, which has what of Path is used on storages and packs. Raises StoreError for other URLs.
    """
    text = str(given)
    scheme, is_url, rest = text.partition("://")
    if not is_url:
        return Path(text)
    if scheme != "s3" or not rest or rest.startswith("/"):
        raise StoreError(f"{text!r} is neither a path nor of the form s3://bucket/name")
    from skin_tune.bucket import BucketPath  # a third of a second that only buckets need

    found: Any = BucketPath(text.rstrip("/"))
    return found


def is_local(path: Path) -> bool:
    """Whether a path is on this machine's disks, not in a bucket."""
    return isinstance(path, Path)


def is_regular(path: Path) -> bool:
    """Whether there is a file at `path` that ends: no folder, and no pipe, device or socket, which can hang a reader.

    False, too, for a name that no file can have.
    """
    return os.path.isfile(path) if is_local(path) else path.is_file()  # noqa: PTH113  Path.is_file raises for the latter


def cache_folder() -> Path:
    """What this machine keeps of buckets; SKIN_TUNE_CACHE, else below the user's own cache.

    Raises EnvironmentVariableError where that is in the home of a user that does not exist.
    """
    given = os.environ.get("SKIN_TUNE_CACHE") or "~/.cache/skin-tune"
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise EnvironmentVariableError(f"SKIN_TUNE_CACHE={given!r} is in a home folder that does not exist") from None


@dataclass(frozen=True)
class RunPaths:
    """Where everything that experiments leave behind lies, under one storage root."""

    storage: Path

    @property
    def results(self) -> Path:
        return self.storage / "results"

    @property
    def wandb(self) -> Path:
        """The folder in which wandb makes its own, always on the machine that drives a run."""
        return self.storage if is_local(self.storage) else Path.cwd()

    def partition(self, table: str, region: str, experiment: str) -> Path:
        """Hive partition of one experiment in one table of the results store."""
        return self.results / table / f"region={one_name(region)}" / f"experiment={one_name(experiment)}"

    def predictions(self, region: str, experiment: str, trial_id: str, split: str) -> Path:
        """What a model says of one split: a file of the table of that name."""
        return self.partition("predictions", region, experiment) / f"{one_name(trial_id)}-{split}.parquet"

    def written(self, region: str, experiment: str) -> list[Path]:
        """The folders that nobody writes to but who holds the experiment's lock."""
        tables = ("trials", "epochs", "predictions")
        return [
            self.experiment(region, experiment),
            *(self.partition(table, region, experiment) for table in tables),
        ]

    def experiments(self, region: str) -> Path:
        return self.storage / "experiments" / one_name(region)

    def experiment(self, region: str, experiment: str) -> Path:
        return self.experiments(region) / one_name(experiment)

    def asked(self, region: str, experiment: str) -> Path:
        """What an experiment was started with, to be held against what it is resumed with."""
        return self.experiment(region, experiment) / "asked.json"

    def lock(self, region: str, experiment: str) -> Path:
        """Held by the one run that writes an experiment."""
        return self.experiment(region, experiment) / "lock"

    def search_journal(self, region: str, experiment: str) -> Path:
        return self.experiment(region, experiment) / "search.log"

    def warm_start(self, region: str, experiment: str) -> Path:
        """What an experiment took over from its siblings."""
        return self.experiment(region, experiment) / "warm_start.json"

    def wandb_state(self, region: str, experiment: str, trial_id: str) -> Path:
        """Which wandb run is a trial's, and up to which epoch it has been logged."""
        return self.experiment(region, experiment) / "wandb" / f"{one_name(trial_id)}.json"

    def refit(self, region: str, experiment: str, model: str) -> Path:
        """A refitted model and everything that is known of it."""
        return self.experiment(region, experiment) / "refit" / one_name(model)

    def checkpoints(self, region: str, experiment: str, trial_id: str) -> Path:
        return self.experiment(region, experiment) / "checkpoints" / one_name(trial_id)

    def resumable(self, region: str, experiment: str) -> set[str]:
        """Ids of the trials that have left a `last.pt` to go on from."""
        return {path.parent.name for path in self.experiment(region, experiment).glob("checkpoints/*/last.pt")}


def refit_name(trial_id: str, *, include_val: bool) -> str:
    """Name of the model that a trial's config is refitted as."""
    return f"{trial_id}-refit" + ("-train-val" if include_val else "")


def refitted(model: str) -> str:
    """The trial that a `refit_name` is of; empty for any other name."""
    return model.rpartition("-refit")[0]


def made_by(model: Path) -> tuple[str, str] | None:
    """Experiment and trial (or refit) that a model file is of, told from where it lies; None for one that was moved."""
    parts = model.resolve().parts[-6:]
    if len(parts) != 6 or parts[0] != "experiments" or parts[3] not in ("checkpoints", "refit"):
        return None
    ours = _NAME.fullmatch(parts[2]) and _NAME.fullmatch(parts[4])
    return (parts[2], parts[4]) if ours else None


def pack_path(folder: Path, region: str, size: int) -> Path:
    """Where `prepare` puts the pack of a region."""
    return folder / f"{region}-{size}.arrow"


def quarantine_path(pack: Path) -> Path:
    """The table of unusable rows beside a pack."""
    return pack.with_suffix(".quarantine.csv")


def joined_path(pack: Path) -> Path:
    """The table, beside a pack, of subjects that share pictures and are one person there."""
    return pack.with_suffix(".joined.csv")


def pack_uses(pack: Path) -> Path:
    """The folder, beside a pack, in which experiments note that they were run on it."""
    return pack.with_name(".used") / pack.name


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary name on this machine; what was written there becomes `path`, in one step, on success."""
    if not is_local(path):
        with ScratchFolder("upload") as folder:
            temporary = folder / path.name
            yield temporary
            upload(temporary, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_half_written(folder: Path) -> None:
    """Remove what writers that were killed have left of `atomic_write` below `folder`.

    The caller holds the lock without which nobody else writes there. A bucket has nothing of the kind.
    """
    if is_local(folder):
        for path in folder.rglob(".*.tmp"):
            if _HALF_WRITTEN.fullmatch(path.name):
                path.unlink(missing_ok=True)


def remove_abandoned_writes(path: Path) -> None:
    """Remove what processes of this machine that were killed have left of writing `path`, for which there is no lock.

    One that has been written to within the last minute may be another machine's, and stays.
    """
    if not is_local(path):
        return
    for found in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        match = _HALF_WRITTEN.fullmatch(found.name)
        with suppress(OSError):
            quiet = time.time() - found.stat().st_mtime > _QUIET_SECONDS
            if match and quiet and not Path(f"/proc/{match['process']}").exists():
                found.unlink()


def upload(file: Path, path: Any) -> None:
    """Copy a local `file` to `path` in a bucket, where it appears as a whole."""
    path.fs.put_file(str(file), path.path)


def download(path: Any, file: Path) -> None:
    """Copy `path` in a bucket to a local `file`."""
    path.fs.get_file(path.path, str(file))


def remove_tree(folder: Any) -> None:
    """Remove a folder and all that is in it."""
    if is_local(folder):
        shutil.rmtree(folder)
    else:
        folder.rmdir(recursive=True)


def find_space(region: str, given: Path | None = None) -> Path:
    """The search space to use: the `given` one, else the region's own, else the default.

    Those that come with the package are found wherever a command is run from: a script that was copied to another
    machine may say ``search_spaces/sample.yaml``, too.
    """
    package = Path(__file__).parent
    folder = next(path for path in (package / "search_spaces", package.parent / "search_spaces") if path.is_dir())
    if given is not None:
        ours = folder / given.name
        is_ours = given.parent in (Path(), Path("search_spaces")) and is_regular(ours)
        return ours if is_ours and not given.exists() else given
    own = folder / f"{region}.yaml"
    return own if own.is_file() else folder / "default.yaml"
