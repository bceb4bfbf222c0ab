"""The search space: its parameters, and how a value of each is drawn."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skin_tune.config import FIELDS, TrialConfig
from skin_tune.errors import SpaceError
from skin_tune.tuning.space import distributions

LISTED = ("categorical", "categorical_w_probabilities")
"""wandb's distributions that list their values."""

_MOST_LISTED = 10_000

Value = bool | int | float | str


@dataclass(frozen=True)
class EarlyTerminate:
    """Successive halving: of the trials that reach epoch after + min_iter * eta**k, the best 1/eta go on."""

    min_iter: int
    """Epochs, from 1, that a trial is given before it may be stopped; those of `after` come first."""
    eta: float = 3
    """Reduction factor, > 1."""
    max_iter: int | None = None
    """Epoch after which none is stopped, >= min_iter; None leaves it to the length of a trial."""
    after: int = field(default=0, repr=False)
    """Epochs of warm-up, of which nothing is judged; 0 in spaces that older versions read. Not shown, so that the words
    in which an experiment notes its space stay those of older versions."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: a constant, a list of values, or a numeric distribution."""

    name: str
    distribution: str
    """wandb's name, given or implied."""
    values: tuple[Value, ...] = ()
    """The one value of a constant, the values of a categorical, else empty."""
    probabilities: tuple[float, ...] = ()
    """One for each of `values`, summing to 1; empty where all are alike."""
    shape: tuple[float, float] = (0.0, 1.0)
    """(min, max), (mu, sigma) or (a, b) of a numeric distribution, as the file gives them."""
    q: float = 1.0
    """Step of quantised distributions; others ignore it."""

    @property
    def is_constant(self) -> bool:
        """True when there is nothing to search."""
        return self.distribution == "constant"

    @property
    def choices(self) -> tuple[Value, ...] | None:
        """The values of a categorical without probabilities: unordered, alike in chance. None for all others."""
        return self.values if self.distribution in LISTED and not self.probabilities else None

    def at(self, u: float) -> Value:
        """The quantile function: the value at `u` in [0, 1], in the type its TrialConfig field has."""
        if not 0 <= u <= 1:
            raise ValueError(f"u={u!r} is outside [0, 1]")
        if self.values:
            return self.values[self._index(u)]
        return self._typed(distributions.quantile(self.distribution, *self.shape, self.q, u))

    def unit_of(self, value: Any) -> float | None:
        """A `u` in [0, 1] with ``at(u) == value``, as nearly as floats allow; None for what cannot be drawn."""
        if self.values:
            if value not in self.values:
                return None
            place = self.values.index(value)
            odds = self.probabilities or (1 / len(self.values),) * len(self.values)
            return float(sum(odds[:place]) + odds[place] / 2) if odds[place] else None
        if isinstance(value, str) or value is None or not self.at(0.0) <= value <= self.at(1.0):
            return None
        low, high = 0.0, 1.0
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if self.at(middle) >= value else (middle, high)
        return high

    def grid(self) -> tuple[Value, ...]:
        """Every value there is, for grid search; raises SpaceError where they cannot be listed, as wandb does."""
        if self.values and not self.probabilities:
            return self.values
        if self.distribution in ("int_uniform", "q_uniform"):
            return tuple(map(self._typed, distributions.grid_values(self.distribution, *self.shape, self.q)))
        what = "categorical with probabilities" if self.values else self.distribution
        raise SpaceError(
            f"parameters.{self.name}: method grid cannot enumerate {what};"
            " it takes a value, values without probabilities, int_uniform or q_uniform"
        )

    def listed(self) -> tuple[Value, ...] | None:
        """Every value that can be drawn; None where there is no end of them, or far too many to try."""
        if self.values:
            odds = self.probabilities or (1.0,) * len(self.values)
            return tuple(value for value, chance in zip(self.values, odds, strict=True) if chance)
        if distributions.count(self.distribution, *self.shape, self.q) > _MOST_LISTED:
            return None
        return tuple(map(self._typed, distributions.grid_values(self.distribution, *self.shape, self.q)))

    def _index(self, u: float) -> int:
        if not self.probabilities:
            return min(int(u * len(self.values)), len(self.values) - 1)
        last = max(i for i, probability in enumerate(self.probabilities) if probability > 0)
        passed = int(np.searchsorted(np.cumsum(self.probabilities), u, side="right"))
        return min(passed, last)  # the sum may fall short of 1 by rounding

    def _typed(self, number: float) -> int | float:
        return int(number) if FIELDS[self.name] is int else float(number)


@dataclass(frozen=True)
class Space:
    """A search space: parameters, method, and early stopping."""

    method: str
    """bayes, random or grid."""
    metric: str
    """val_balanced_acc or val_macro_f1, always maximised."""
    parameters: tuple[Parameter, ...]
    """Searched and constant ones in file order, then overrides the file does not name."""
    early_terminate: EarlyTerminate | None = None
    """None lets every trial run to its last epoch."""
    run_cap: int | None = None
    """Most trials to run, >= 1; None sets no limit."""
    target: float | None = None
    """The metric's value, in (0, 1], with which the experiment ends; None lets all trials run."""
    defaults_first: bool = False
    """Whether the first trial has the default of each hyper-parameter that can draw it; not in spaces that older
    versions read."""

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters that are not constant."""
        return tuple(parameter for parameter in self.parameters if not parameter.is_constant)

    @property
    def options(self) -> dict[str, tuple[Value, ...]]:
        """The values that each parameter can have; of a distribution its lowest and its highest."""
        return {
            each.name: (each.listed() if each.values else None) or (each.at(0.0), each.at(1.0))
            for each in self.parameters
        }

    def largest(self, name: str) -> float:
        """The largest value of a numeric hyper-parameter that a trial can have; its default if it is not named."""
        for parameter in self.parameters:
            if parameter.name == name:
                return float(max(parameter.values) if parameter.values else parameter.at(1.0))
        return float(getattr(TrialConfig, name))

    def judged_after_warmup(self) -> "Space":
        """The space with rungs after its longest warm-up: at most half of its longest trial, as in the schedule."""
        if self.early_terminate is None:
            return self
        warmup = math.ceil(min(self.largest("warmup_epochs"), self.largest("epochs") / 2))
        return replace(self, early_terminate=replace(self.early_terminate, after=warmup))

    def units_of(self, config: Mapping[str, Any]) -> dict[str, float]:
        """A `u` for each searched parameter: that of its value in `config`, or 0.5 where it cannot draw that."""
        units = {parameter.name: parameter.unit_of(config.get(parameter.name)) for parameter in self.searched}
        return {name: 0.5 if unit is None else unit for name, unit in units.items()}

    def config(self, units: Mapping[str, float]) -> dict[str, Any]:
        """A value for each parameter, from one `u` in [0, 1] for each searched one; KeyError if one is missing."""
        return {p.name: p.at(0.0 if p.is_constant else units[p.name]) for p in self.parameters}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """An independent draw of every parameter."""
        return self.config({parameter.name: rng.random() for parameter in self.searched})

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last parameter changing fastest; SpaceError if one cannot be enumerated."""
        names = [parameter.name for parameter in self.parameters]
        for values in itertools.product(*[parameter.grid() for parameter in self.parameters]):
            yield dict(zip(names, values, strict=True))
