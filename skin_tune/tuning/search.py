"""Which configs an experiment tries: the space's method as a Ray Tune searcher."""

import warnings
from typing import Any

import numpy as np
import optuna
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig
from skin_tune.tuning.space import Parameter, Space

_RANDOM_FIRST = 10
"""Trials that TPE draws at random before it trusts what it has seen."""


class SpaceSearcher(Searcher):
    """Suggests full configs from a space: all of a grid, independent draws, or Optuna's TPE for `bayes`.

    TPE works on quantiles (each number's share in [0, 1) of its own distribution), so that it honours every
    distribution of the space. A trial that ASHA stopped early counts as Optuna's pruned trial: ranked below the
    completed ones, and among its like by the epoch it reached and the value it had there.
    """

    def __init__(self, space: Space, seed: int):
        super().__init__(metric=space.metric, mode="max")
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._grid = list(reversed(list(space.grid()))) if space.method == "grid" else None
        self._defaults = TrialConfig(seed=seed).to_dict()
        self._study = _study(seed) if space.method == "bayes" else None
        self._asked: dict[str, optuna.trial.Trial] = {}
        self._epochs: dict[str, int] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._grid is not None:
            if not self._grid:
                return Searcher.FINISHED
            drawn = self._grid.pop()
        elif self._study is not None:
            trial = self._study.ask()
            self._asked[trial_id] = trial
            drawn = self._space.config({parameter.name: _unit(trial, parameter) for parameter in self._space.searched})
        else:
            drawn = self._space.sample(self._rng)
        config = {**self._defaults, **drawn}
        self._epochs[trial_id] = int(config["epochs"])
        return config

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if trial_id in self._asked and self.metric in result:
            self._asked[trial_id].report(result[self.metric], step=int(result["epoch"]))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._asked.pop(trial_id, None)
        if trial is None or self._study is None:
            return
        status = (result or {}).get("status")
        if error or result is None or status == "failed":
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif status == "diverged" or result["epoch"] < self._epochs[trial_id]:
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(trial, result[f"best_{self.metric}"])


def _study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # The constant liar keeps trials that run at the same time apart.
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_FIRST, constant_liar=True)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _unit(trial: optuna.trial.Trial, parameter: Parameter) -> float:
    if parameter.choices is None:
        return trial.suggest_float(parameter.name, 0.0, 1.0)
    index = trial.suggest_categorical(parameter.name, range(len(parameter.choices)))
    return (int(index) + 0.5) / len(parameter.choices)
