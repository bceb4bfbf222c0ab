"""Whether a search has come up against the bounds of its space."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skin_tune.config import range_of
from skin_tune.tuning.space.distributions import is_bounded
from skin_tune.tuning.space.parameters import Parameter, Space

_BEST = 3
"""Trials that have to agree: three that are drawn at random all lie in the same outer share once in 8,000 times."""
_SHARE = 0.05
"""Outer share of the draws of a distribution that counts as its bound."""


def bound_warnings(space: Space, best: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each bound of a numeric range at which the best trials lie.

    `best` are usable rows of the store's `trials`, best first. A bound that is also the hyper-parameter's own, such as
    dropout 0, cannot be widened, and a value that many draws share says nothing; both are left out.
    """
    if len(best) < _BEST:
        return []
    return [
        f"the {_BEST} best trials have {parameter.name} within {100 * _SHARE:.0f} % of its {which} bound {bound:g}: "
        "widen it"
        for parameter in space.searched
        if not parameter.values and is_bounded(parameter.distribution)
        for which, bound in _reached(parameter, [row.get(f"config/{parameter.name}") for row in best[:_BEST]])
    ]


def _reached(parameter: Parameter, given: Sequence[float | None]) -> Iterator[tuple[str, float]]:
    values = [value for value in given if value is not None]
    if len(values) < len(given):
        return
    low, near_low, near_high, high = (float(parameter.at(u)) for u in (0.0, _SHARE, 1 - _SHARE, 1.0))
    least, most = range_of(parameter.name)
    if low < near_low and low > least and all(value <= near_low for value in values):
        yield "lower", low
    if near_high < high and high < most and all(value >= near_high for value in values):
        yield "upper", high
