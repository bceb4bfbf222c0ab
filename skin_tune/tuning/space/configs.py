"""The different configs of a space: its searched hyper-parameters have a value where that does something."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skin_tune.config import TrialConfig, Values, is_live, key_of, settled
from skin_tune.config.canonical import parents_first
from skin_tune.tuning.space.parameters import Parameter, Space, Value

Units = dict[str, float]
"""A config as a share in [0, 1] of the distribution of each searched parameter, at least of those that are live."""


class _EndlessError(Exception):
    """There is no end of a space's configs."""


@dataclass(frozen=True)
class Configs:
    """The configs of a space, each a value for every hyper-parameter, dead ones settled (see `config.canonical`)."""

    space: Space
    defaults: Mapping[str, Any] = field(default_factory=lambda: TrialConfig().to_dict())
    """Value of each hyper-parameter that the space does not name."""

    @property
    def in_order(self) -> list[Parameter]:
        """The searched parameters, those first that decide whether others are live."""
        return sorted(self.space.searched, key=lambda parameter: parents_first(parameter.name))

    def assign(self, choose: Callable[[Parameter], Value]) -> dict[str, Any]:
        """The config in which each searched parameter that is live has the value that `choose` gives it."""
        values = self._fixed()
        for parameter in self.in_order:
            alive = is_live(parameter.name, values)
            values[parameter.name] = choose(parameter) if alive else self.defaults[parameter.name]
        return settled(values)

    def at(self, units: Units) -> dict[str, Any]:
        """The config at `units`; KeyError where one that is live is missing."""
        return self.assign(lambda parameter: parameter.at(units[parameter.name]))

    def units_of(self, config: Values) -> Units | None:
        """Units at which the space has the values of `config`, as far as they are searched and live; else None."""
        units: Units = {}

        def choose(parameter: Parameter) -> Value:
            unit = parameter.unit_of(config[parameter.name])
            if unit is None:
                raise LookupError
            units[parameter.name] = unit
            return parameter.at(unit)

        try:
            self.assign(choose)
        except LookupError:
            return None
        return units

    def listed(self, most: float) -> list[dict[str, Any]] | None:
        """All configs, the parameter that depends on most others changing fastest; None if there are more than `most`.

        No two of them train alike.
        """
        found: dict[Any, dict[str, Any]] = {}
        try:
            for values in self._walk(self.in_order, self._fixed()):
                config = settled(values)
                found.setdefault(key_of(config), config)
                if len(found) > most:
                    return None
        except _EndlessError:
            return None
        return list(found.values())

    def _fixed(self) -> dict[str, Any]:
        """The values of all hyper-parameters that are not searched."""
        constants = {each.name: each.values[0] for each in self.space.parameters if each.is_constant}
        searched = {parameter.name for parameter in self.space.searched}
        return {name: value for name, value in {**self.defaults, **constants}.items() if name not in searched}

    def _walk(self, parameters: Sequence[Parameter], values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not parameters:
            yield values
            return
        first, *others = parameters
        choices = first.listed() if is_live(first.name, values) else (self.defaults[first.name],)
        if choices is None:
            raise _EndlessError
        for value in choices:
            yield from self._walk(others, {**values, first.name: value})
