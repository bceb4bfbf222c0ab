"""Warm start: the best configs of sibling experiments, tried first."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from skin_tune.errors import ExperimentError
from skin_tune.results.store.status import are_usable
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location, atomic_write
from skin_tune.tuning.space.configs import Configs, Units
from skin_tune.tuning.trial.stored_config import config_of

CONFIGS = 5
"""How many configs are tried first: enough for some to fit, few enough to leave the search its budget."""


def check_siblings(storage: Location, names: Sequence[str], region: str, experiment: str) -> None:
    """Raise ExperimentError for a name that is neither a region nor an experiment with a trial to learn from."""
    known = _usable(storage, region, experiment)
    for name in names:
        if not (known["region"].eq(name) | known["experiment"].eq(name)).any():
            pairs = known[["region", "experiment"]].drop_duplicates().itertuples(index=False)
            holds = ", ".join(f"{row.region}/{row.experiment}" for row in pairs) or "none"
            raise ExperimentError(
                f"--warm-start {name!r} is neither a region nor an experiment below {str(storage)!r} "
                f"with a trial to start from; it holds {holds}"
            )


def best_of_siblings(
    storage: Location, names: Sequence[str], region: str, experiment: str, configs: Configs
) -> list[Units]:
    """The best configs of the regions and experiments in `names`, as far as they are among `configs`, each once.

    First the best of each sibling experiment, then the second best of each, and so on: scores of different regions
    do not compare, ranks do. The experiment's own trials are left out.
    """
    trials = _usable(storage, region, experiment)
    trials = trials[trials["region"].isin(names) | trials["experiment"].isin(names)]
    if trials.empty:
        return []
    metric = configs.space.metric
    groups = trials.groupby(["region", "experiment"])[metric]
    trials = trials.assign(_rank=groups.rank(ascending=False, method="first"))
    found: list[Units] = []
    for _, row in trials.sort_values(["_rank", metric], ascending=[True, False]).iterrows():
        config = config_of(row.to_dict()).to_dict()
        units = configs.units_of(config)
        if units is not None and units not in found:
            found.append(units)
    return found[:CONFIGS]


def chosen_once(file: Location, choose: Callable[[], Sequence[Units]]) -> Sequence[Units]:
    """The configs noted in `file`, else those that `choose` returns: siblings may have changed on a resume."""
    if file.is_file():
        return _known(file)
    chosen = choose()
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps(chosen))
    return chosen


def _known(file: Location) -> list[Units]:
    try:
        known: Any = json.loads(file.read_text())
        shares = [share for units in known for share in dict.values(units)]
    except (OSError, ValueError, TypeError, RecursionError):
        shares = [None]
    if not all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares):
        raise ExperimentError(f"{str(file)!r} is not what this program writes of configs to try first")
    return known


def _usable(storage: Location, region: str, experiment: str) -> pd.DataFrame:
    if not (storage / "results").is_dir():
        return pd.DataFrame(columns=["region", "experiment"])
    trials = load_trials(storage)
    own = trials["region"].eq(region) & trials["experiment"].eq(experiment)
    return trials[~own & are_usable(trials, "val_balanced_acc") & trials["members"].isna()]
