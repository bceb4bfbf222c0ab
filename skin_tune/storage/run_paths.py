"""The only owner of file and folder names under a storage root."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.errors import ExperimentError, StoreError
from skin_tune.storage.files import Location, is_local
from skin_tune.text.escaping import has_control, shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CROPS_SUFFIX = ".crops"
_LONGEST_EXPERIMENT = 200
"""Its files are named by its trials, whose names begin with its own: file systems take 255 bytes."""


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


@dataclass(frozen=True)
class RunPaths:
    """Paths of all files of experiments under one storage root."""

    storage: Location

    @property
    def results(self) -> Location:
        return self.storage / "results"

    @property
    def wandb(self) -> Path:
        """The folder in which wandb makes its own, always on the machine that drives a run."""
        return self.storage if is_local(self.storage) else Path.cwd()

    def partition(self, table: str, region: str, experiment: str) -> Location:
        """Hive partition of one experiment in one table of the results store."""
        return self.results / table / f"region={one_name(region)}" / f"experiment={one_name(experiment)}"

    def predictions(self, region: str, experiment: str, trial_id: str, split: str) -> Location:
        """File of a model's predictions for one split."""
        return self.partition("predictions", region, experiment) / f"{one_name(trial_id)}-{split}.parquet"

    def written(self, region: str, experiment: str) -> list[Location]:
        """The folders that nobody writes to but who holds the experiment's lock."""
        tables = ("trials", "epochs", "predictions")
        return [
            self.experiment(region, experiment),
            *(self.partition(table, region, experiment) for table in tables),
        ]

    def experiments(self, region: str) -> Location:
        return self.storage / "experiments" / one_name(region)

    def experiment(self, region: str, experiment: str) -> Location:
        return self.experiments(region) / one_name(experiment)

    def spec(self, region: str, experiment: str) -> Location:
        """The spec of an experiment: what it was started with, compared with what it is resumed with."""
        return self.experiment(region, experiment) / "asked.json"

    def lock(self, region: str, experiment: str) -> Location:
        """Held by the one run that writes an experiment."""
        return self.experiment(region, experiment) / "lock"

    def search_journal(self, region: str, experiment: str) -> Location:
        return self.experiment(region, experiment) / "search.log"

    def warm_start(self, region: str, experiment: str) -> Location:
        """File of the configs that an experiment took over from its siblings."""
        return self.experiment(region, experiment) / "warm_start.json"

    def wandb_state(self, region: str, experiment: str, trial_id: str) -> Location:
        """Which wandb run is a trial's, and up to which epoch it has been logged."""
        return self.experiment(region, experiment) / "wandb" / f"{one_name(trial_id)}.json"

    def tensorboard(self, region: str, experiment: str, trial_id: str) -> Location:
        """Folder of a trial's event files; all of them are below one, which TensorBoard shows."""
        return self.storage / "tensorboard" / one_name(region) / one_name(experiment) / one_name(trial_id)

    def refit(self, region: str, experiment: str, model: str) -> Location:
        """A refitted model and everything that is known of it."""
        return self.experiment(region, experiment) / "refit" / one_name(model)

    def checkpoints(self, region: str, experiment: str, trial_id: str) -> Location:
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


def made_by(model: Location) -> tuple[str, str] | None:
    """Experiment and trial (or refit) that a model file is of, told from where it lies; None for one that was moved."""
    parts = model.resolve().parts[-6:]
    if len(parts) != 6 or parts[0] != "experiments" or parts[3] not in ("checkpoints", "refit"):
        return None
    ours = _NAME.fullmatch(parts[2]) and _NAME.fullmatch(parts[4])
    return (parts[2], parts[4]) if ours else None


def pack_path(folder: Location, region: str, size: int) -> Location:
    """Path of a region's pack, as `prepare` writes it."""
    return folder / f"{region}-{size}.arrow"


def crops_name(regions: Iterable[str], size: int, crops_id: str) -> str:
    """Name of the file, beside their packs, of the crops that `regions` share.

    The id is in it, so that no name ever stands for other crops: packs are whole while newer ones are on their way.
    """
    return f"{'_and_'.join(sorted(regions))}-{size}-{crops_id[:8]}{CROPS_SUFFIX}"


def quarantine_path(pack: Location) -> Location:
    """The table of unusable rows beside a pack."""
    return pack.with_suffix(".quarantine.csv")


def joined_path(pack: Location) -> Location:
    """The table, beside a pack, of subjects that share pictures and are one person there."""
    return pack.with_suffix(".joined.csv")


def pack_uses(pack: Location) -> Location:
    """The folder, beside a pack, in which experiments note that they were run on it."""
    return pack.with_name(".used") / pack.name
