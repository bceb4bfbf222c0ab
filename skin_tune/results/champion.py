"""Which config to end with, from runs of the best ones with new seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skin_tune.errors import StoreError
from skin_tune.results.contrasts import contrasts, seeded_runs
from skin_tune.results.store import load_trials


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


def championship(
    storage: Path, region: str, experiment: str, runs: Mapping[str, Sequence[str]], metric: str
) -> Championship:
    """Compare configs by `runs`, ids of each config's runs, seed by seed, in `experiment`.

    Raises StoreError where no config has a result of every seed.
    """
    status = load_trials(storage, region, experiment).set_index("trial_id")["status"]
    whole = {config: ids for config, ids in runs.items() if all(status.get(own_id) == "completed" for own_id in ids)}
    failed = [
        config for config, ids in runs.items() if any(status.get(own_id) in ("diverged", "failed") for own_id in ids)
    ]
    if cut_off := [config for config in runs if config not in whole and config not in failed]:
        raise StoreError(f"runs of {', '.join(cut_off)} were cut off; the same command goes on with them")
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
        table.sort_values("mean", ascending=False, kind="stable", ignore_index=True), list(whole)[best], failed
    )
