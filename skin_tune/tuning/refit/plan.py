"""The plan of a refit, checked before anything slow starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from skin_tune.config import Canonical, TrialConfig, canonical
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExperimentError, PackError
from skin_tune.results.statistics.combination import combined_from
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, refit_name
from skin_tune.training.compatibility import check_compatibility
from skin_tune.tuning.experiment.lookup import StoredExperiment, find_experiment
from skin_tune.tuning.tracking.wandb_settings import check_artifacts, check_mode
from skin_tune.tuning.trial.stored_config import config_of


@dataclass(frozen=True)
class RefitRequest:
    """Arguments of `refit`."""

    experiment: str
    region: str | None = None
    """Needed where several regions have an experiment of that name."""
    trial: str | None = None
    """The trial whose config is trained; None: the best."""
    include_val: bool = False
    """Train on the validation images, too; the model is then that of the last epoch."""
    workers: int = 1
    pack: Location | None = None
    """None: where it was when the experiment started."""
    storage: Location = Path("runs")
    wandb: str | None = None
    wandb_artifacts: bool = False
    """Log the model and its card as an artifact."""


class Member(NamedTuple):
    """One of the networks that a refit trains: the only one, unless it is of a combination."""

    trial: str
    model: str
    """Name of its checkpoints."""
    config: TrialConfig
    epochs_before: int
    """Of the members before it."""


@dataclass(frozen=True)
class RefitPlan:
    """A request that has been checked: what there is to train."""

    request: RefitRequest
    paths: RunPaths
    region: str
    trial: str
    metric: str
    members: Sequence[Member]
    pack: Pack
    trials: int
    """How many the experiment had."""
    val_metrics: Mapping[str, float]
    """Validation metrics of the trial, as the store has them."""

    @property
    def model(self) -> str:
        return refit_name(self.trial, include_val=self.request.include_val)

    @property
    def config(self) -> TrialConfig:
        """Of its only member, or of the best."""
        return self.members[0].config

    @property
    def hyper_parameters(self) -> Canonical:
        """Those of its config, None for what is dead; where members differ, their values in words."""
        values: dict[str, list[str | int | float | bool | None]] = {}
        for member in self.members:
            for name, value in canonical(member.config.to_dict()).items():
                values.setdefault(name, []).append(value)
        return {name: each[0] if len(set(each)) == 1 else ", ".join(map(_word, each)) for name, each in values.items()}

    @property
    def epochs(self) -> int:
        """Of all members."""
        return sum(member.config.epochs for member in self.members)

    @property
    def folder(self) -> Location:
        return self.paths.refit(self.region, self.request.experiment, self.model)

    @property
    def checkpoints(self) -> Location:
        return self.checkpoints_of(self.model)

    def checkpoints_of(self, model: str) -> Location:
        """Folder of the checkpoints of a member."""
        return self.paths.checkpoints(self.region, self.request.experiment, model)


def _word(value: str | int | float | bool | None) -> str:
    return "-" if value is None else str(value)


def plan_refit(request: RefitRequest) -> RefitPlan:
    """The plan of what was asked for.

    Raises ExperimentError, PackError or StoreError where it cannot be carried out.
    """
    check_mode(request.wandb)
    if request.wandb_artifacts:
        check_artifacts(request.wandb)
    if request.workers < 1:
        raise ExperimentError(f"--workers {request.workers} is below 1")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    row = _chosen(known, request.trial)
    pack = known.open_pack(row)
    if not len(pack.indices("test")):
        raise PackError(f"pack {str(pack.path)!r} has no test image; prepare it with another --split")
    name = refit_name(row["trial_id"], include_val=request.include_val)
    members = _members(known, row, name)
    for member in members:
        check_compatibility(member.config, pack, request.workers, include_val=request.include_val)
    return RefitPlan(
        request=request,
        paths=known.paths,
        region=known.region,
        trial=row["trial_id"],
        metric=known.metric,
        members=members,
        pack=pack,
        trials=len(known.trials),
        val_metrics={
            str(name): float(value)
            for name, value in row.items()
            if str(name).startswith("val_") and not pd.isna(value)
        },
    )


def _members(known: StoredExperiment, row: Mapping[Any, Any], model: str) -> list[Member]:
    """The networks to train for a row of the store's `trials`.

    Raises ExperimentError where a trial that it combines is gone.
    """
    experiment = combined_from(known.name)
    if experiment is None or pd.isna(row.get("members")):
        return [Member(row["trial_id"], model, config_of(row), 0)]
    trials = find_experiment(known.paths.storage, experiment, known.region, known.pack_file).trials
    rows = {each["trial_id"]: each for each in trials.to_dict("records")}
    members: list[Member] = []
    for trial in json.loads(row["members"]):
        if trial not in rows:
            raise ExperimentError(f"{row['trial_id']!r} combines {trial!r}, which experiment {experiment!r} lacks")
        before = members[-1].epochs_before + members[-1].config.epochs if members else 0
        members.append(Member(trial, f"{model}-{trial}", config_of(rows[trial]), before))
    return members


def _chosen(known: StoredExperiment, trial: str | None) -> Mapping[Any, Any]:
    """The row of the trial to refit: the best one's, or that of `trial`."""
    usable = known.usable()
    if trial is None:
        return usable.iloc[0].to_dict()
    if trial not in set(known.trials["trial_id"]):
        raise ExperimentError(f"experiment {known.name!r} has no trial {trial!r}")
    chosen = usable[usable["trial_id"] == trial]
    if chosen.empty:
        raise ExperimentError(f"trial {trial!r} diverged, failed or ran no epoch: there is no config to refit")
    return chosen.iloc[0].to_dict()
