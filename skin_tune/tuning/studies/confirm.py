"""The best configs of an experiment once more, each with the same new seeds: what of their rank was luck."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skin_tune.data.pack.folds import Fold
from skin_tune.errors import ExperimentError
from skin_tune.metrics import decision_metric
from skin_tune.results.statistics.run_names import confirmation_of, fold_run_of, run_of
from skin_tune.storage.files import Location
from skin_tune.tuning.experiment.fixed_configs import Resources, run_fixed_configs
from skin_tune.tuning.experiment.lookup import find_experiment
from skin_tune.tuning.experiment.runner import Outcome
from skin_tune.tuning.trial.context import FOLD, TRIAL_ID
from skin_tune.tuning.trial.stored_config import config_of


@dataclass(frozen=True)
class ConfirmRequest:
    """Arguments of `confirm`."""

    experiment: str
    region: str | None = None
    """Needed where several regions have an experiment of that name."""
    top: int = 5
    """How many of the best configs."""
    seeds: int = 5
    """How many runs of each."""
    folds: int | None = None
    """Into how many folds each seed deals the people of train and val, who judge in turn; None: those of val judge."""
    pack: Location | None = None
    """None: where it was when the experiment started."""
    storage: Location = Path("runs")
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Confirmation:
    """The runs of an experiment's best configs, and which of them are whose."""

    region: str
    experiment: str
    """Name of the runs' experiment, see `confirmation_of`."""
    metric: str
    runs: dict[str, list[str]]
    """Ids of a trial's runs, seed by seed, by the id of the trial whose config they have; best trial first.

    With folds an id stands for those of its folds, see `fold_run_of`."""
    outcome: Outcome


def run_confirm(request: ConfirmRequest) -> Confirmation:
    """Run every config with every seed to its last epoch; runs that are in the store already are not repeated.

    Seeds are those after the experiment's own, which its best configs may owe their rank to. With folds a run is one
    of each fold; a seed deals the same folds for every config. Raises ExperimentError where there is nothing to
    confirm, PackError where a fold would have nobody.
    """
    for flag, value, least in (("--top", request.top, 1), ("--seeds", request.seeds, 1), ("--folds", request.folds, 2)):
        if value is not None and value < least:
            raise ExperimentError(f"{flag} {value} is below {least}")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    rows = known.usable().head(request.top).to_dict("records")
    pack = known.open_pack(rows[0])
    first = 1 + int(known.trials["seed"].fillna(0).max())
    seeds = range(first, first + request.seeds)
    runs = {row["trial_id"]: [run_of(row["trial_id"], seed) for seed in seeds] for row in rows}
    configs = [
        {**config_of(row).to_dict(), "seed": seed, **part}
        for row in rows
        for seed, run_id in zip(seeds, runs[row["trial_id"]], strict=True)
        for part in _parts(run_id, seed, request.folds)
    ]
    name = confirmation_of(request.experiment, request.folds)
    outcome = run_fixed_configs(configs, name, pack, known.metric, known.paths.storage, request.resources)
    return Confirmation(known.region, name, decision_metric(known.metric), runs, outcome)


def _parts(run_id: str, seed: int, folds: int | None) -> list[dict[str, Any]]:
    """What tells a run, or each fold of it, from others in a Tune config."""
    if folds is None:
        return [{TRIAL_ID: run_id}]
    return [{TRIAL_ID: fold_run_of(run_id, number), FOLD: Fold(number, folds, seed)} for number in range(folds)]
