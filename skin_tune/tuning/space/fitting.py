"""Values that cannot work on a pack leave the space before anything starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from skin_tune.errors import SpaceError
from skin_tune.tuning.space.distributions import is_bounded
from skin_tune.tuning.space.parameters import Parameter, Space, Value


@dataclass(frozen=True)
class Limit:
    """The largest value of a whole-number hyper-parameter that can work, and why."""

    value: int
    reason: str
    """Such as ``the training set has 42 images``."""


def fitted(space: Space, limits: Mapping[str, Limit]) -> tuple[Space, list[str]]:
    """`space` without the values above `limits`, and a line on each hyper-parameter that lost some.

    Constants, and distributions without ends, are left as they are. Raises SpaceError where no value is left.
    """
    parameters, lines = [], []
    for parameter in space.parameters:
        limit = limits.get(parameter.name)
        kept = parameter if limit is None or parameter.is_constant else _up_to(parameter, limit.value)
        if limit is not None and kept is None:
            raise SpaceError(f"parameters.{parameter.name}: no value that can be drawn works: {limit.reason}")
        if limit is not None and kept is not None and kept != parameter:
            lines.append(f"{_loss(parameter, kept)}: {limit.reason}")
        parameters.append(kept or parameter)
    return replace(space, parameters=tuple(parameters)), lines


def _up_to(parameter: Parameter, most: int) -> Parameter | None:
    """`parameter` without its values above `most`; None where none is left."""
    if parameter.values:
        return _listed(parameter, most)
    lowest = int(parameter.at(0.0))
    if int(parameter.at(1.0)) <= most or not is_bounded(parameter.distribution):
        return parameter
    if lowest > most:
        return None
    low, _ = parameter.shape
    high = math.log(most) if parameter.distribution.endswith("log_uniform") else most
    kept = replace(parameter, shape=(low, high))
    return _constant(parameter.name, lowest) if kept.at(1.0) == lowest else kept


def _listed(parameter: Parameter, most: int) -> Parameter | None:
    odds = parameter.probabilities or (1.0,) * len(parameter.values)
    pairs = [(value, chance) for value, chance in zip(parameter.values, odds, strict=True) if int(value) <= most]
    total = sum(chance for _, chance in pairs)
    if len(pairs) == len(parameter.values) or not total:
        return parameter if total else None
    if len(pairs) == 1:
        return _constant(parameter.name, pairs[0][0])
    shares = tuple(chance / total for _, chance in pairs) if parameter.probabilities else ()
    return replace(parameter, values=tuple(value for value, _ in pairs), probabilities=shares)


def _constant(name: str, value: Value) -> Parameter:
    return Parameter(name, "constant", (value,))


def _loss(before: Parameter, after: Parameter) -> str:
    if before.values:
        lost = ", ".join(str(value) for value in before.values if value not in after.values)
        return f"{before.name}={lost} cannot work and is not searched"
    return f"{before.name} is searched up to {after.at(1.0)}, not {before.at(1.0)}"
