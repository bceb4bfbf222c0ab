"""Searches on measured curves: each asks for configs and hears their epochs, as if they were trained."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curves.grid import EPOCHS, VALUES
from benchmarks.curves.table import Table
from skin_tune.tuning.search.asha import rungs_of
from skin_tune.tuning.search.searcher import SpaceSearcher
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import space_of
from skin_tune.tuning.trial.context import TRIAL_ID

TRIALS = 64


@dataclass
class Spent:
    """What a search has spent and found."""

    table: Table
    best: list[float] = field(default_factory=list)
    """The best score after each epoch of the search, over all trials."""
    chosen: tuple[int, int] = (0, 0)
    """Row and column of the best score in the table."""

    def train(self, row: int) -> Iterator[tuple[int, float]]:
        """The epochs of a trial of the table's `row` and their scores; each is spent once it is asked for."""
        for column, score in enumerate(self.table.scores[row].tolist()):
            if not self.best or score > self.best[-1]:
                self.chosen = row, column
            self.best.append(max(score, self.best[-1]) if self.best else score)
            yield column + 1, score

    def until(self, goal: float) -> int | None:
        """Epochs until `goal` was reached; None where it never was."""
        reached = np.flatnonzero(np.array(self.best) >= goal)
        return int(reached[0]) + 1 if len(reached) else None


Search = Callable[[Table, int], Spent]
"""A search by its seed."""


def space(table: Table, method: str, *, early: bool) -> dict[str, Any]:
    """The grid as a search space: learning rates between its ends, all else listed."""
    rates = VALUES["learning_rate"]
    listed = {name: {"values": list(values)} for name, values in VALUES.items() if name != "learning_rate"}
    ends = {"distribution": "log_uniform_values", "min": rates[0], "max": rates[-1]}
    stop = {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 3}} if early else {}
    parameters = {"learning_rate": ends, **listed, "epochs": {"value": EPOCHS}, "weights": {"value": "none"}}
    return {"method": method, "metric": {"name": table.metric, "goal": "maximize"}, "parameters": parameters, **stop}


def ours(table: Table, seed: int) -> Spent:
    """The product's searcher and rungs, one trial at a time."""
    return _searched(table, seed, space_of(space(table, "bayes", early=True), {}))


def random_search(table: Table, seed: int, *, early: bool = False) -> Spent:
    """Independent draws, each trained to its end unless the product's rungs may stop it `early`."""
    return _searched(table, seed, replace(space_of(space(table, "random", early=early), {}), defaults_first=False))


def _searched(table: Table, seed: int, asked: Space) -> Spent:
    spent = Spent(table)
    with tempfile.TemporaryDirectory() as folder:
        searcher = SpaceSearcher(asked, seed, "replay", Path(folder) / "journal")
        rungs = rungs_of(asked, {})
        for number in range(TRIALS):
            config = searcher.suggest(str(number))
            if not isinstance(config, dict):
                break
            best = -np.inf
            for epoch, score in spent.train(table.place(config)):
                best = max(best, score)
                if rungs is not None and rungs.falls_short(config[TRIAL_ID], epoch, best):
                    break
            searcher.on_trial_complete(str(number), {f"best_{table.metric}": best})
    return spent


def optuna_hyperband(table: Table, seed: int) -> Spent:
    """Optuna's TPE with its Hyperband pruner, both with their defaults."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3)
    sampler = optuna.samplers.TPESampler(seed=seed)
    # The name, too, is a seed: of a trial's bracket.
    study = optuna.create_study(study_name=str(seed), direction="maximize", sampler=sampler, pruner=pruner)
    spent = Spent(table)

    def objective(trial: optuna.Trial) -> float:
        row = table.place(_suggested(trial))
        for epoch, score in spent.train(row):
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(table.scores[row].max())

    study.optimize(objective, n_trials=TRIALS)
    return spent


def ray_optuna(table: Table, seed: int) -> Spent:
    """Ray Tune's ASHA and OptunaSearch with their defaults, as its documentation pairs them."""
    from ray import tune
    from ray.tune.schedulers.async_hyperband import AsyncHyperBandScheduler, _Bracket
    from ray.tune.search.optuna import OptunaSearch

    rates = VALUES["learning_rate"]
    listed = {name: tune.choice(list(values)) for name, values in VALUES.items() if name != "learning_rate"}
    asked = OptunaSearch.convert_search_space({"learning_rate": tune.loguniform(rates[0], rates[-1]), **listed})
    searcher = OptunaSearch(asked, metric=table.metric, mode="max", seed=seed)
    bracket = _Bracket(1, EPOCHS, 4, 0)
    assert AsyncHyperBandScheduler(max_t=EPOCHS)._reduction_factor == 4
    spent = Spent(table)
    for number in range(TRIALS):
        name = str(number)
        config = searcher.suggest(name)
        for epoch, score in spent.train(table.place(config)):
            result = {table.metric: score, "training_iteration": epoch}
            searcher.on_trial_result(name, result)
            if bracket.on_result(_Named(name), epoch, score) == "STOP":
                break
        searcher.on_trial_complete(name, result)
    return spent


@dataclass(frozen=True)
class _Named:
    trial_id: str


def _suggested(trial: Any) -> dict[str, Any]:
    rates = VALUES["learning_rate"]
    config = {"learning_rate": trial.suggest_float("learning_rate", rates[0], rates[-1], log=True)}
    listed = {name: values for name, values in VALUES.items() if name != "learning_rate"}
    return config | {name: trial.suggest_categorical(name, list(values)) for name, values in listed.items()}


def searches() -> Iterator[tuple[str, Search]]:
    """All that are compared, by name."""
    yield "random search", random_search
    yield "Optuna: TPE, Hyperband", optuna_hyperband
    yield "Ray Tune: ASHA, OptunaSearch", ray_optuna
    yield "skin-tune", ours
