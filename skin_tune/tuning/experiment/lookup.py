"""An experiment that has been run: its region, its trials, its pack."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from skin_tune.data.pack.format import Pack, open_pack
from skin_tune.errors import ExperimentError, PackError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.results.store.ranking import rank_trials
from skin_tune.results.store.schema import WANDB_RUN
from skin_tune.results.store.status import are_usable
from skin_tune.storage.files import Location, location
from skin_tune.storage.run_paths import RunPaths
from skin_tune.tuning.experiment.spec import read_spec


@dataclass(frozen=True)
class StoredExperiment:
    """An experiment as the store and its folder have it."""

    paths: RunPaths
    region: str
    name: str
    metric: str
    """The metric its best epochs and trials are chosen by."""
    trials: pd.DataFrame
    """Rows of the store's `trials`, best `metric` first; those that cannot win come last."""
    pack_file: Location
    """Where its pack is, or was when it started."""

    def usable(self) -> pd.DataFrame:
        """The trials that have neither diverged nor failed and ran an epoch, best first.

        Raises ExperimentError where there is none.
        """
        able = are_usable(self.trials, self.metric)
        if not able.any():
            raise ExperimentError(f"every trial of {self.name!r} diverged, failed or ran no epoch")
        return self.trials[able]

    def open_pack(self, row: Mapping[Any, Any]) -> Pack:
        """The pack of a trial, whose row in the store is `row`. Raises PackError where it is another by now."""
        pack = open_pack(self.pack_file)
        if pack.info.pack_id != row["pack_id"]:
            raise PackError(
                f"{str(self.pack_file)!r} is pack {pack.info.pack_id}, and {row['trial_id']} is of {row['pack_id']}"
            )
        return pack


def only_region(regions: Iterable[str], name: str) -> str:
    """The region of the trials of experiment `name`, at least one. Raises ExperimentError where several have one."""
    found = sorted(set(regions))
    if len(found) > 1:
        raise ExperimentError(f"{', '.join(found)} have an experiment {name!r} each; give --region")
    return found[0]


def find_experiment(
    storage: Location, name: str, region: str | None = None, pack: Location | None = None
) -> StoredExperiment:
    """The experiment `name` below `storage`; `pack` is where its pack is now, if it was moved.

    Raises ExperimentError or StoreError where there is no such experiment, several regions have one, or it was
    imported.
    """
    paths = RunPaths(storage.resolve())
    trials = rank_trials(paths.storage, region=region, experiment=name)
    region = only_region(trials["region"], name)
    if WANDB_RUN in trials and trials[WANDB_RUN].notna().any():
        raise ExperimentError(
            f"experiment {name!r} was imported from wandb, which does not say on which pack its trials were trained; "
            f"try its best configs first on one with: skin-tune tune PACK --warm-start {name}"
        )
    spec_file = paths.spec(region, name)
    asked = read_spec(spec_file) if spec_file.is_file() else None
    if pack is None and asked is None:
        raise ExperimentError(f"experiment {name!r} does not say where its pack is; give --pack")
    metric = asked.metric if asked else SELECTION_METRICS[0]
    return StoredExperiment(
        paths=paths,
        region=region,
        name=name,
        metric=metric,
        trials=rank_trials(paths.storage, region=region, experiment=name, sort=metric),
        pack_file=(pack or location(asked.pack if asked else "")).resolve(),
    )
