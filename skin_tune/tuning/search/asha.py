"""ASHA: stops trials early, by asynchronous successive halving over epochs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.trial.context import TRIAL_ID

History = Mapping[str, Mapping[int, float]]
"""The selection metric of trials by id and epoch."""


class AshaRungs:
    """ASHA (Li et al. 2020): of the trials that reach a rung, those below its best 1/eta so far are stopped there.

    A trial is judged by its best epoch so far, as by wandb's hyperband unless that is strict: one unlucky epoch does
    not end a trial whose best model is kept. Rungs are min_iter, min_iter * eta, ... epochs `after` the warm-up: what a
    trial says in it is chance. The first trial at a rung passes. Same decisions as Ray's ASHA, which cannot be seeded
    with earlier rung values: a resumed experiment would judge its new trials against nothing.
    """

    def __init__(self, metric: str, min_iter: int, eta: float, longest: int, history: History, after: int = 0):
        self._score, self._eta = f"best_{metric}", eta
        self._rungs: dict[int, dict[str, float]] = {}
        judged = min_iter
        while (milestone := after + judged) < longest:
            self._rungs[milestone] = {
                trial_id: max(value for epoch, value in epochs.items() if epoch <= milestone)
                for trial_id, epochs in history.items()
                if milestone in epochs
            }
            judged = max(judged + 1, round(judged * eta))

    def stops(self, config: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
        """Whether the trial of a Tune config is to be stopped at the epoch it reports."""
        return "status" not in result and self.falls_short(config[TRIAL_ID], result["epoch"], result[self._score])

    def falls_short(self, trial_id: str, epoch: int, best: float) -> bool:
        """Enter a trial at the rung of this epoch, if it is one; whether its best so far is below the rung's cut."""
        rung = self._rungs.get(epoch)
        if rung is None or trial_id in rung:
            return False
        cut = np.quantile(list(rung.values()), 1 - 1 / self._eta) if rung else -np.inf
        rung[trial_id] = best
        return bool(best < cut)


def rungs_of(space: Space, history: History) -> AshaRungs | None:
    """The rungs that `space` asks for; None without `early_terminate`.

    Trials end at their own last epoch; none is stopped from `max_iter` on, where the space gives one. `history` are the
    epochs that trials of an interrupted experiment have run.
    """
    early_terminate = space.early_terminate
    if early_terminate is None:
        return None
    longest = early_terminate.max_iter or most_epochs(space)
    min_iter, eta, after = early_terminate.min_iter, early_terminate.eta, early_terminate.after
    return AshaRungs(space.metric, min_iter, eta, longest, history, after)


def most_epochs(space: Space) -> int:
    """Epochs of the longest trial that `space` can draw."""
    return int(space.largest("epochs"))
