"""Names of confirmations and of their runs: from them it is told what belongs together."""

import re
from collections.abc import Iterable

from skin_tune.storage.files import Location, location, sorted_glob
from skin_tune.storage.run_paths import RunPaths

_CONFIRMED = re.compile(r"(?P<experiment>.+)-confirm(-folds(?P<folds>\d+))?")
_FOLD = re.compile(r"-fold\d+$")


def confirmation_of(experiment: str, folds: int | None = None) -> str:
    """Name of the experiment that confirms the best of `experiment`: those of other folds never mix."""
    return f"{experiment}-confirm" + (f"-folds{folds}" if folds else "")


def confirmed_by(experiment: str) -> str | None:
    """Name of the experiment whose best `experiment` confirms; None for any other."""
    match = _CONFIRMED.fullmatch(experiment)
    return match["experiment"] if match else None


def folds_of(experiment: str) -> int | None:
    """Into how many folds a confirmation deals people; None for one that has none, and for any other experiment."""
    match = _CONFIRMED.fullmatch(experiment)
    return int(match["folds"]) if match and match["folds"] else None


def confirmations_of(storage: str | Location, region: str | None, experiment: str) -> list[str]:
    """Names of the confirmations of `experiment` in the store."""
    root = RunPaths(location(storage)).results
    found = sorted_glob(root, f"trials/region={region or '*'}/experiment={experiment}-confirm*/*.parquet")
    names = dict.fromkeys(file.parts[-2].removeprefix("experiment=") for file in found)
    return [name for name in names if confirmed_by(name) == experiment]


def run_of(trial_id: str, seed: int) -> str:
    """Id of the run of a trial's config with another seed; with folds it stands for its runs of each fold."""
    return f"{trial_id}-seed{seed}"


def fold_run_of(run_id: str, fold: int) -> str:
    """Id of the part of a run that is judged on one fold, from 0."""
    return f"{run_id}-fold{fold}"


def without_fold(run_id: str) -> str:
    """Id of the run that a `fold_run_of` is part of; that of any other run as it is."""
    return _FOLD.sub("", run_id)


def runs_by_config(run_ids: Iterable[str]) -> dict[str, list[str]]:
    """Runs of each trial's config, with the seeds that all configs have been run with; folds are taken as one."""
    by_config: dict[str, dict[str, str]] = {}
    for trial_id in map(without_fold, run_ids):
        config, _, seed = trial_id.rpartition("-seed")
        by_config.setdefault(config, {})[seed] = trial_id
    common = set.intersection(*map(set, by_config.values())) if by_config else set()
    return {config: [runs[seed] for seed in runs if seed in common] for config, runs in by_config.items()}
