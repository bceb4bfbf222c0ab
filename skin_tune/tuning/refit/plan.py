"""The plan of a refit, checked before anything slow starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skin_tune.config import TrialConfig
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ExperimentError, PackError
from skin_tune.storage.files import Location
from skin_tune.storage.run_paths import RunPaths, refit_name
from skin_tune.training.compatibility import check_compatibility
from skin_tune.tuning.experiment.lookup import StoredExperiment, find_experiment
from skin_tune.tuning.tracking.wandb_settings import check_mode
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


@dataclass(frozen=True)
class RefitPlan:
    """A request that has been checked: what there is to train."""

    request: RefitRequest
    paths: RunPaths
    region: str
    trial: str
    metric: str
    config: TrialConfig
    pack: Pack
    trials: int
    """How many the experiment had."""

    @property
    def model(self) -> str:
        return refit_name(self.trial, include_val=self.request.include_val)

    @property
    def folder(self) -> Location:
        return self.paths.refit(self.region, self.request.experiment, self.model)

    @property
    def checkpoints(self) -> Location:
        return self.paths.checkpoints(self.region, self.request.experiment, self.model)


def plan_refit(request: RefitRequest) -> RefitPlan:
    """The plan of what was asked for.

    Raises ExperimentError, PackError or StoreError where it cannot be carried out.
    """
    check_mode(request.wandb)
    if request.workers < 1:
        raise ExperimentError(f"--workers {request.workers} is below 1")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    row = _chosen(known, request.trial)
    pack = known.open_pack(row)
    if not len(pack.indices("test")):
        raise PackError(f"pack {str(pack.path)!r} has no test image; prepare it with another --split")
    config = config_of(row)
    check_compatibility(config, pack, request.workers, include_val=request.include_val)
    return RefitPlan(
        request=request,
        paths=known.paths,
        region=known.region,
        trial=row["trial_id"],
        metric=known.metric,
        config=config,
        pack=pack,
        trials=len(known.trials),
    )


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
