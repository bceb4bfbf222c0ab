"""Which config to end with, from runs of the best ones with new seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.results.statistics.contrasts import contrasts, seeded_runs
from skin_tune.results.store.status import UNUSABLE
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location

_CONFIRMED = "-confirm"


def confirmation_of(experiment: str) -> str:
    """Name of the experiment that confirms the best of `experiment`."""
    return f"{experiment}{_CONFIRMED}"


def confirmed_by(experiment: str) -> str | None:
    """Name of the experiment whose best `experiment` confirms; None for any other."""
    return experiment.removesuffix(_CONFIRMED) if experiment.endswith(_CONFIRMED) else None


def run_of(trial_id: str, seed: int) -> str:
    """Id of the run of a trial's config with another seed."""
    return f"{trial_id}-seed{seed}"


def runs_by_config(run_ids: Iterable[str]) -> dict[str, list[str]]:
    """Runs of each trial's config, with the seeds that all of the configs have been run with."""
    by_config: dict[str, dict[str, str]] = {}
    for trial_id in run_ids:
        config, _, seed = trial_id.rpartition("-seed")
        by_config.setdefault(config, {})[seed] = trial_id
    common = set.intersection(*map(set, by_config.values())) if by_config else set()
    return {config: [runs[seed] for seed in runs if seed in common] for config, runs in by_config.items()}


@dataclass(frozen=True)
class Championship:
    """How confirmed configs compare."""

    configs: pd.DataFrame
    """A row per config, best mean first: ``trial_id mean low high spread difference difference_low difference_high
    within_noise``. `spread` is the standard deviation over seeds, differences are to the champion."""
    champion: str
    """The config of the highest lower bound."""
    failed: Sequence[str]
    """Configs of which a run diverged or failed: they cannot be champion."""
    seeds: int
    """Runs of each config."""

    @property
    def winner(self) -> dict[Any, Any]:
        """The champion's row of `configs`."""
        return next(row for row in self.configs.to_dict("records") if row["trial_id"] == self.champion)

    @property
    def rivals(self) -> list[str]:
        """Configs that the champion leads by no more than noise."""
        return list(self.configs.loc[self.configs["within_noise"], "trial_id"])


def championship(
    storage: str | Location, region: str, experiment: str, runs: Mapping[str, Sequence[str]], metric: str
) -> Championship:
    """Compare configs by `runs`, ids of each config's runs, seed by seed, in `experiment`.

    Raises StoreError where no config has a result of every seed.
    """
    if not all(runs.values()):
        raise StoreError(f"the configs of {experiment!r} have no seed in common: they do not compare")
    status = load_trials(storage, region, experiment).set_index("trial_id")["status"]
    whole = {
        config: ids for config, ids in runs.items() if all(status.get(trial_id) == "completed" for trial_id in ids)
    }
    failed = [config for config, ids in runs.items() if any(status.get(trial_id) in UNUSABLE for trial_id in ids)]
    if interrupted := [config for config in runs if config not in whole and config not in failed]:
        raise StoreError(f"runs of {', '.join(interrupted)} were interrupted; the same command resumes them")
    if not whole:
        raise StoreError("a run of every config diverged or failed: none can be champion")
    seeded = seeded_runs(storage, region, experiment, list(whole.values()), metric)
    each = np.eye(len(whole))
    means = contrasts(seeded, each)
    best = int(means["low"].fillna(means["value"]).argmax())
    gaps = contrasts(seeded, each - each[best])
    table = pd.DataFrame(
        {
            "trial_id": list(whole),
            "mean": means["value"],
            "low": means["low"],
            "high": means["high"],
            "spread": seeded.point.std(axis=1, ddof=1) if seeded.point.shape[1] > 1 else np.nan,
            "difference": gaps["value"],
            "difference_low": gaps["low"],
            "difference_high": gaps["high"],
        }
    )
    table["within_noise"] = (gaps["low"] <= 0) & (gaps["high"] >= 0)
    table.loc[best, ["difference", "difference_low", "difference_high"]] = np.nan
    table.loc[best, "within_noise"] = False
    return Championship(
        table.sort_values("mean", ascending=False, kind="stable", ignore_index=True),
        list(whole)[best],
        failed,
        seeded.point.shape[1],
    )
