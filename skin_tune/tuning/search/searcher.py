"""The space's method (bayes, random, grid) as a Ray Tune searcher."""

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.tune.search import Searcher

from skin_tune.config import TrialConfig
from skin_tune.tuning.search.warm_start import Units
from skin_tune.tuning.space.parameters import Parameter, Space
from skin_tune.tuning.trial.context import TRIAL_ID

_RANDOM_FIRST = 10
"""Trials that TPE draws at random before it trusts what it has seen."""


class SpaceSearcher(Searcher):
    """Suggests full configs from a space: all of a grid, independent draws, or Optuna's TPE for `bayes`.

    Every config carries its `trial_id`, ``<experiment>-<number>``; number n of a grid or of random draws is the same
    whenever it is asked for. TPE works on quantiles (each number's share in [0, 1) of its own distribution), so that it
    honours every distribution of the space, and keeps its history in `journal`; what it draws for number n is decided
    by the seed, n and the results it has been told of, so that a resumed search draws what an unbroken one would. A
    trial counts with its best epoch, whether it was completed or stopped early: the first ones to reach ASHA's rungs
    pass them however bad they are, and are not to rank above better ones that were stopped. One that diverged ranks
    below them all.

    What the space does not name has its value in `defaults`, by default today's.
    An earlier run started the trials whose ids are in `started_ids`; configs of the `unfinished` ones are suggested
    first. The space may ask for a first trial of the defaults, which any search should beat; a parameter that cannot
    draw its default has the middle of its distribution there. `warm_start` is called when the first config after it is
    due, for configs to try next, before those of the method.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        experiment: str,
        journal: Path,
        *,
        defaults: Mapping[str, Any] | None = None,
        started_ids: Collection[str] = (),
        unfinished: Sequence[Mapping[str, Any]] = (),
        warm_start: Callable[[], Sequence[Units]] = tuple,
    ):
        super().__init__(metric=space.metric, mode="max")
        self._space, self._seed, self._experiment = space, seed, experiment
        self._grid = list(space.grid()) if space.method == "grid" else None
        self._defaults = {**(defaults or TrialConfig().to_dict()), "seed": seed}
        self._study = _study(journal) if space.method == "bayes" else None
        self._untold = _untold(self._study) if self._study else {}
        self._started_ids = set(started_ids)
        self._number = 0
        self._skip_started()
        self._unfinished = [dict(config) for config in unfinished]
        self._warm_start = warm_start
        self._warm: Sequence[Units] | None = None
        self._asked: dict[str, optuna.trial.Trial] = {}

    @property
    def learns(self) -> bool:
        """Whether the next config depends on the results of earlier trials."""
        return self._study is not None and not self._unfinished and self._number >= _RANDOM_FIRST

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        return True

    def suggest(self, ray_trial_id: str) -> dict[str, Any] | str | None:
        if self._unfinished:
            config = self._unfinished.pop(0)
            if trial := self._asked_before(config[TRIAL_ID]):
                self._asked[ray_trial_id] = trial
        elif self._grid is not None and self._number >= len(self._grid):
            return Searcher.FINISHED
        else:
            trial_id = self._next_id()
            config = {**self._defaults, **self._drawn(ray_trial_id, trial_id), TRIAL_ID: trial_id}
            self._number += 1
            self._skip_started()
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._asked.pop(trial_id, None)  # Ray's own id
        if trial is None or self._study is None:
            return
        status = (result or {}).get("status")
        if error or result is None or status == "failed":
            self._study.tell(trial, state=TrialState.FAIL)
        elif status == "diverged":  # a pruned trial that reports no value ranks below all others
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, result[f"best_{self.metric}"])

    def _drawn(self, ray_trial_id: str, trial_id: str) -> dict[str, Any]:
        if self._grid is not None:
            return self._grid[self._number]
        warm = self._chosen()
        if self._study is None:
            rng = np.random.default_rng([self._seed, self._number])
            return self._space.config(warm) if warm else self._space.sample(rng)
        trial = self._asked_before(trial_id)  # and interrupted before it started
        if trial is None:
            if warm:
                fixed = {parameter.name: _asked(parameter, warm) for parameter in self._space.searched}
                self._study.enqueue_trial(fixed)
            self._study.sampler = _sampler(self._seed, self._number)
            trial = self._study.ask()
            trial.set_user_attr(TRIAL_ID, trial_id)
        self._asked[ray_trial_id] = trial
        return self._space.config({parameter.name: _unit(trial, parameter) for parameter in self._space.searched})

    def _chosen(self) -> Units | None:
        """The config to try as this number whatever the method would draw, if there is one."""
        first = [self._space.units_of(self._defaults)] if self._space.defaults_first else []
        if self._number < len(first):
            return first[self._number]
        if self._warm is None:
            tried = [self._space.config(units) for units in first]
            self._warm = [units for units in self._warm_start() if not _is_among(self._space.config(units), tried)]
        place = self._number - len(first)
        return self._warm[place] if place < len(self._warm) else None

    def _asked_before(self, trial_id: str) -> optuna.trial.Trial | None:
        """The trial that Optuna was asked for before an interruption, and has not been told of."""
        if self._study is None or trial_id not in self._untold:
            return None
        return optuna.trial.Trial(self._study, self._untold.pop(trial_id))

    def _next_id(self) -> str:
        return f"{self._experiment}-{self._number:03d}"

    def _skip_started(self) -> None:
        """Go on to the next number of which no trial was started: trials need not start in their order."""
        while self._next_id() in self._started_ids:
            self._number += 1


def _study(journal: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name="search",
        direction="maximize",
        load_if_exists=True,
    )


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    (own_seed,) = np.random.SeedSequence([seed, number]).generate_state(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # The constant liar keeps trials that run at the same time apart.
        return optuna.samplers.TPESampler(
            seed=int(own_seed), n_startup_trials=_RANDOM_FIRST, multivariate=True, constant_liar=True
        )


def _untold(study: optuna.Study) -> dict[str, int]:
    """Trials whose end a study has not been told, by our id."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.user_attrs[TRIAL_ID]: trial._trial_id for trial in running if TRIAL_ID in trial.user_attrs}


def _is_among(config: Mapping[str, Any], tried: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a config has been tried: numbers that went through their quantiles may differ by a rounding."""

    def same(ours: Any, theirs: Any) -> bool:
        return math.isclose(ours, theirs) if isinstance(ours, float) else bool(ours == theirs)

    return any(all(same(value, one[name]) for name, value in config.items()) for one in tried)


def _asked(parameter: Parameter, units: Units) -> float:
    """The value Optuna gets for a parameter: its unit, or the index of its choice."""
    unit = units[parameter.name]
    return unit if parameter.choices is None else int(unit * len(parameter.choices))


def _unit(trial: optuna.trial.Trial, parameter: Parameter) -> float:
    if parameter.choices is None:
        return trial.suggest_float(parameter.name, 0.0, 1.0)
    index = trial.suggest_categorical(parameter.name, range(len(parameter.choices)))
    return (int(index) + 0.5) / len(parameter.choices)
