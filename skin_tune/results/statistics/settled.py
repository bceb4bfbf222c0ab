"""When a search has nothing left to win: none of its last trials beat the best by more than its noise."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skin_tune.metrics import ADJUSTED, Tallies, decision_metric, formula_of, is_adjusted, scores_of
from skin_tune.results.statistics.bootstrap import resample_counts, resampled_sums, tally_subjects
from skin_tune.results.store.status import unfinished, usable
from skin_tune.results.store.tables import load_predictions
from skin_tune.storage.files import Location

LIKELY = 0.05
"""Below this chance the next trial is not expected to beat the best."""
UNBEATEN = round(1 / LIKELY) - 2
"""Trials in a row that do not beat the best, after which by the rule of succession (Laplace), 1 / (n + 2), the next one
does so with no more than that chance."""

_RESAMPLES = 1_000


@dataclass(frozen=True)
class Settled:
    """A search that has nothing left to win."""

    trials: int
    """How many had ended by then."""
    best: str
    """Id of the trial that none of the last UNBEATEN beat by more than `noise`."""
    noise: float

    @property
    def how_to_resume(self) -> str:
        """What an experiment that it ended takes to go on."""
        return "--resume --until end"

    def __str__(self) -> str:
        return (
            f"settled after {self.trials} trials: none of the last {UNBEATEN} beat {self.best} by more than its noise, "
            f"{self.noise:.3f}"
        )


def when_settled(rows: Sequence[Mapping[str, Any]], metric: str, noise_of: Callable[[str], float]) -> Settled | None:
    """Where a search was settled, from its rows of the store's `trials`; None where it is not yet.

    `noise_of` a trial is what its metric might differ by with other people. Steps that are smaller than it count
    together. A trial that fails beats nothing.
    """
    ended = sorted((row for row in rows if not unfinished(row)), key=lambda row: str(row.get("ended_at") or ""))
    best, noise, score, since = "", 0.0, -math.inf, 0
    for place, row in enumerate(ended, start=1):
        since += 1
        if usable(row, metric) and row[metric] > score + noise:
            best, noise, score, since = row["trial_id"], noise_of(row["trial_id"]), row[metric], 0
        if best and since >= UNBEATEN:
            return Settled(place, best, noise)
    return None


def noise_of_trial(storage: Location, region: str, experiment: str, metric: str, trial_id: str) -> float:
    """Standard error of a trial's `decision_metric` over the people of the validation split, by the bootstrap.

    0 where it cannot be known: of a single subject, or without predictions in the store.
    """
    decision = f"predicted{ADJUSTED}" if is_adjusted(metric) else "predicted"
    rows = load_predictions(storage, region, experiment, split="val", trial=trial_id).dropna(subset=[decision])
    codes, people = pd.factorize(rows["subject"], use_na_sentinel=False)
    if len(people) < 2:
        return 0.0
    label, predicted = (rows[name].to_numpy(np.int64) for name in ("label", decision))
    own = tally_subjects(codes, label, predicted, len(people), len(rows["probabilities"].iloc[0]))
    one = Tallies(own.true[:, None], own.predicted[:, None], own.hits[:, None], own.distance_sums[:, None])
    drawn = scores_of(resampled_sums(one, resample_counts(len(people), _RESAMPLES)))
    return float(np.nanstd(drawn[formula_of(decision_metric(metric))]))
