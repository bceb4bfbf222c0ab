"""Optuna's TPE over the live parameters of a space, and the journal of what it has proposed and been told."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from skin_tune.tuning.space.configs import Configs, Units
from skin_tune.tuning.space.parameters import Parameter, Value
from skin_tune.tuning.trial.context import TRIAL_ID

RANDOM_FIRST = 10
"""Trials that TPE draws at random before it trusts what it has seen."""

_STUDY = "live parameters"
_STUDY_OF_ALL = "search"
"""Study of older versions, which told TPE of dead parameters, too."""


@dataclass(frozen=True)
class Proposal:
    """A config, and the trial that Optuna knows it by."""

    trial: optuna.trial.Trial
    config: dict[str, Any]


class Tpe:
    """TPE on quantiles (each number's share in [0, 1) of its own distribution), so that it honours every distribution.

    A parameter that the proposed values of others make dead is not asked for, and TPE models each set of parameters
    that are live together as one (`group`). What it draws is decided by the seed, the number of the trial, the attempt
    and the results it has been told of.
    """

    def __init__(self, configs: Configs, seed: int, journal: Path, metric: str):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._configs, self._seed, self._metric = configs, seed, metric
        storage = JournalStorage(JournalFileBackend(str(journal)))
        self._study = optuna.create_study(storage=storage, study_name=_STUDY, direction="maximize", load_if_exists=True)
        if _STUDY_OF_ALL in optuna.get_all_study_names(storage):
            self._take_over(optuna.load_study(study_name=_STUDY_OF_ALL, storage=storage))
        self._untold = self._unfinished()

    def proposed_before(self, trial_id: str) -> Proposal | None:
        """What an earlier run proposed for this trial and was not told the end of; None where there is no such."""
        if trial_id not in self._untold:
            return None
        return self._proposal(optuna.trial.Trial(self._study, self._untold.pop(trial_id)))

    def propose(self, number: int, attempt: int) -> Proposal:
        """What TPE draws for trial `number`, another config in each attempt unless it insists."""
        self._study.sampler = _sampler([self._seed, number, *([attempt] if attempt else [])])
        return self._proposal(self._study.ask())

    def enter(self, units: Units) -> Proposal:
        """A config that is chosen without TPE, so that it is told of it."""
        self._study.enqueue_trial(
            {each.name: _asked(each, units) for each in self._configs.in_order if each.name in units}
        )
        return self._proposal(self._study.ask())

    def accept(self, proposal: Proposal, trial_id: str) -> None:
        """The proposal becomes a trial."""
        proposal.trial.set_user_attr(TRIAL_ID, trial_id)

    def refuse(self, proposal: Proposal) -> None:
        """The proposal has been run before; TPE learns nothing of it."""
        self._study.tell(proposal.trial, state=TrialState.FAIL)

    def tell(self, proposal: Proposal, result: Mapping[str, Any] | None, error: bool) -> None:
        """How its trial ended: it counts with its best epoch, and one that diverged ranks below all others."""
        status = (result or {}).get("status")
        if error or result is None or status == "failed":
            self._study.tell(proposal.trial, state=TrialState.FAIL)
        elif status == "diverged":  # a pruned trial that reports no value ranks below all others
            self._study.tell(proposal.trial, state=TrialState.PRUNED)
        else:
            self._study.tell(proposal.trial, result[f"best_{self._metric}"])

    def _proposal(self, trial: optuna.trial.Trial) -> Proposal:
        return Proposal(trial, self._configs.assign(lambda parameter: _suggested(trial, parameter)))

    def _unfinished(self) -> dict[str, int]:
        """Trials that Optuna waits for, by our id; those that no trial came of are dropped, as they count as bad."""
        for _ in self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.ask()
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            if TRIAL_ID not in trial.user_attrs:
                self._study.tell(trial.number, state=TrialState.FAIL)
        return {trial.user_attrs[TRIAL_ID]: trial._trial_id for trial in running if TRIAL_ID in trial.user_attrs}

    def _take_over(self, older: optuna.Study) -> None:
        """Copy the trials of an older version without their dead parameters, and go on where a copy was cut short."""
        for trial in older.get_trials(deepcopy=False)[len(self._study.get_trials(deepcopy=False)) :]:
            kept: list[str] = []

            def choose(parameter: Parameter, known: Mapping[str, Any] = trial.params, kept: list[str] = kept) -> Value:
                kept.append(parameter.name)
                return parameter.at(_unit_of(parameter, known[parameter.name]))

            whole = all(parameter.name in trial.params for parameter in self._configs.in_order)
            if whole:
                self._configs.assign(choose)
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=trial.state if whole else TrialState.FAIL,
                    value=trial.value if whole else None,
                    params={name: trial.params[name] for name in kept},
                    distributions={name: trial.distributions[name] for name in kept},
                    user_attrs=trial.user_attrs,
                )
            )


def _sampler(entropy: list[int]) -> optuna.samplers.BaseSampler:
    (own_seed,) = np.random.SeedSequence(entropy).generate_state(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # The constant liar keeps trials that run at the same time apart.
        return optuna.samplers.TPESampler(
            seed=int(own_seed), n_startup_trials=RANDOM_FIRST, multivariate=True, group=True, constant_liar=True
        )


def _asked(parameter: Parameter, units: Units) -> float:
    """The value Optuna gets for a parameter: its unit, or the index of its choice."""
    unit = units[parameter.name]
    return unit if parameter.choices is None else int(unit * len(parameter.choices))


def _suggested(trial: optuna.trial.Trial, parameter: Parameter) -> Value:
    if parameter.choices is None:
        return parameter.at(trial.suggest_float(parameter.name, 0.0, 1.0))
    return parameter.at(_unit_of(parameter, trial.suggest_categorical(parameter.name, range(len(parameter.choices)))))


def _unit_of(parameter: Parameter, asked: float) -> float:
    """The unit of what Optuna knows as a parameter's value."""
    return asked if parameter.choices is None else (int(asked) + 0.5) / len(parameter.choices)
