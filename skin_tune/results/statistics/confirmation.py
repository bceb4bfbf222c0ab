"""Which config to end with, from runs of the best ones with new seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.results.statistics.contrasts import contrasts, seeded_runs
from skin_tune.results.statistics.run_names import folds_of, without_fold
from skin_tune.results.store.status import UNUSABLE
from skin_tune.results.store.tables import load_trials
from skin_tune.storage.files import Location


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
    folds: int | None = None
    """Into how many folds the people of train and val were dealt; None: those of val judged."""
    expected: float = math.nan
    """Mean of the best config as estimated on people who did not choose it; NaN where there is one config."""

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

    With folds, the predictions of a run are those of its folds together: everybody is graded by a model that never saw
    them. Raises StoreError where no config has a result of every seed.
    """
    if not all(runs.values()):
        raise StoreError(f"the configs of {experiment!r} have no seed in common: they do not compare")
    folds = folds_of(experiment)
    trials = load_trials(storage, region, experiment)
    ends = trials["status"].groupby(trials["trial_id"].map(without_fold)).agg(list).to_dict()
    complete = ["completed"] * (folds or 1)
    whole = {config: ids for config, ids in runs.items() if all(ends.get(run_id) == complete for run_id in ids)}
    failed = [
        config for config, ids in runs.items() if any(set(ends.get(run_id, ())) & set(UNUSABLE) for run_id in ids)
    ]
    if interrupted := [config for config in runs if config not in whole and config not in failed]:
        raise StoreError(f"runs of {', '.join(interrupted)} were interrupted; the same command resumes them")
    if not whole:
        raise StoreError("a run of every config diverged or failed: none can be champion")
    seeded = seeded_runs(storage, region, experiment, list(whole.values()), metric, out_of_fold=folds is not None)
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
        folds,
        seeded.best_elsewhere,
    )
