"""The best configs of an experiment once more, each with the same new seeds: what of their rank was luck."""

from dataclasses import dataclass, field
from pathlib import Path

from skin_tune.errors import ExperimentError
from skin_tune.results.statistics.confirmation import confirmation_of, run_of
from skin_tune.storage.files import Location
from skin_tune.tuning.experiment.fixed_configs import Resources, run_fixed_configs
from skin_tune.tuning.experiment.lookup import find_experiment
from skin_tune.tuning.experiment.runner import Outcome
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
    """Ids of a trial's runs, seed by seed, by the id of the trial whose config they have; best trial first."""
    outcome: Outcome


def run_confirm(request: ConfirmRequest) -> Confirmation:
    """Run every config with every seed to its last epoch; runs that are in the store already are not repeated.

    Seeds are those after the experiment's own, which its best configs may owe their rank to. Raises ExperimentError
    where there is nothing to confirm.
    """
    for flag, value in (("--top", request.top), ("--seeds", request.seeds)):
        if value < 1:
            raise ExperimentError(f"{flag} {value} is below 1")
    known = find_experiment(request.storage, request.experiment, request.region, request.pack)
    rows = known.usable().head(request.top).to_dict("records")
    pack = known.open_pack(rows[0])
    first = 1 + int(known.trials["seed"].fillna(0).max())
    seeds = range(first, first + request.seeds)
    runs = {row["trial_id"]: [run_of(row["trial_id"], seed) for seed in seeds] for row in rows}
    configs = [
        {**config_of(row).to_dict(), "seed": seed, "trial_id": trial_id}
        for row in rows
        for seed, trial_id in zip(seeds, runs[row["trial_id"]], strict=True)
    ]
    name = confirmation_of(request.experiment)
    outcome = run_fixed_configs(configs, name, pack, known.metric, known.paths.storage, request.resources)
    return Confirmation(known.region, name, known.metric, runs, outcome)
