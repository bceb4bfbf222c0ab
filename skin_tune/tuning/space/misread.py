"""Distributions that are legal as they stand and plainly not what was meant.

log_uniform, inv_log_uniform and log_normal speak of the logarithm, as wandb defines them. Who gives them the values
themselves gets numbers near 1, or beyond all bounds, where a learning rate near 0.0001 was meant.
"""

import math

from skin_tune.errors import SpaceError
from skin_tune.tuning.space.distributions import quantile

_NEAR_ZERO = 0.1
"""Exponents from 0 to here draw from 1 to 1.105, which is no range to search."""
_RATIO = 3
"""From here on limits between 0 and 1 look like those of a logarithmic range themselves; their exponentials do not."""
_HUGE = 14
"""The exponential of this is beyond a million, and no hyper-parameter is."""
_TAIL = 0.001


def check_meant(distribution: str, first: float, second: float) -> None:
    """Raise SpaceError for exponents that are plainly values. A lower limit of 0 or less is an exponent for certain."""
    if distribution.endswith("log_uniform") and _are_values(distribution, first, second):
        low, high = (quantile(distribution.removeprefix("q_"), first, second, 1.0, u) for u in (0.0, 1.0))
        raise SpaceError(
            f"min={first:g}, max={second:g} are exponents of e to {distribution}, which would draw from {low:g} to"
            f" {high:g}; give the limits themselves with {distribution}_values"
        )
    if distribution.endswith("log_normal") and 0 < first <= _NEAR_ZERO and second <= _NEAR_ZERO:
        low, high = (quantile("log_normal", first, second, 1.0, u) for u in (_TAIL, 1 - _TAIL))
        raise SpaceError(
            f"mu={first:g}, sigma={second:g} are of the logarithm to {distribution}, which would draw from {low:g} to"
            f" {high:g}; for draws around {first:g} give mu={math.log(first):.3g}"
        )


def exponent_hint(distribution: str, first: float) -> str:
    """A hint for an illegal draw: limits above 0 may have been meant as they are."""
    if distribution.endswith("log_uniform") and first > 0:
        return f"; min and max are exponents of e here, see {distribution}_values"
    return ""


def _are_values(distribution: str, low: float, high: float) -> bool:
    if low <= 0:
        return False
    between_0_and_1 = high <= 1 and (high <= _NEAR_ZERO or high >= _RATIO * low)
    huge = high >= _HUGE and not distribution.startswith("inv_")  # whose large exponents draw small numbers
    return between_0_and_1 or huge
