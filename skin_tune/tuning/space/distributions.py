"""Quantile functions of the numeric distributions of a wandb sweep.

Definitions: https://docs.wandb.ai/models/sweeps/sweep-config-keys#distribution-options-for-random-and-bayesian-search.
A distribution is its name, the pair of numbers that shape it (min and max, mu and sigma, or a and b, see SHAPE_KEYS)
and the quantum q. One inverse CDF each serves random search (u uniform) and model-based search (u proposed).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from skin_tune.errors import SpaceError

_PLAIN: dict[str, tuple[str, str]] = {
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "log_uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    "inv_log_uniform": ("min", "max"),
    "inv_log_uniform_values": ("min", "max"),
    "normal": ("mu", "sigma"),
    "log_normal": ("mu", "sigma"),
    "beta": ("a", "b"),
}
_QUANTISED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")

SHAPE_KEYS: dict[str, tuple[str, str]] = {**_PLAIN, **{f"q_{name}": _PLAIN[name] for name in _QUANTISED}}
"""The two numbers that shape each distribution, by their names in the file."""
DEFAULTS: dict[str, float] = {"mu": 0, "sigma": 1, "a": 1, "b": 1, "q": 1}
"""wandb's defaults where the file gives no number; min and max have none."""

_MAX_EXPONENT = 200.0  # with the next two, no step below can leave what a float holds
_MAX_SIZE = 1e100
_MIN_QUANTUM = 1e-12
_TINY = 2.0**-53  # keeps the quantiles of distributions without ends finite


def is_bounded(distribution: str) -> bool:
    """True for the distributions given by min and max, whose ends can be drawn."""
    return SHAPE_KEYS[distribution] == ("min", "max")


def check_shape(distribution: str, first: float, second: float, q: float) -> None:
    """Raise SpaceError unless the shape (and q, where the distribution is a quantised one) is a legal one."""
    first_key, second_key = SHAPE_KEYS[distribution]
    if is_bounded(distribution) and first >= second:
        raise SpaceError(f"min={first:g} is not below max={second:g}")
    if max(abs(first), abs(second)) > _MAX_SIZE:
        raise SpaceError(f"{first_key}={first:g} or {second_key}={second:g} is beyond {_MAX_SIZE:g}")
    if distribution == "int_uniform" and not (float(first).is_integer() and float(second).is_integer()):
        raise SpaceError(f"int_uniform from {first:g} to {second:g} needs whole numbers")
    if distribution.endswith("log_uniform_values") and first <= 0:
        hint = f"; exponents of e go with {distribution.removesuffix('_values')}" if first < 0 else ""
        raise SpaceError(f"min={first:g} is not above 0, as {distribution} needs{hint}")
    if distribution.endswith("log_uniform") and max(abs(first), abs(second)) > _MAX_EXPONENT:
        raise SpaceError(
            f"{distribution} from {first:g} to {second:g} are exponents of e and may not pass {_MAX_EXPONENT:g};"
            f" give the limits themselves with {distribution}_values"
        )
    if second_key == "sigma" and second <= 0:
        raise SpaceError(f"sigma={second:g} is not above 0")
    if second_key == "b" and min(first, second) <= 0:
        raise SpaceError(f"{first_key}={first:g} and {second_key}={second:g} are not both above 0")
    if distribution.startswith("q_"):
        if not _MIN_QUANTUM <= q <= _MAX_SIZE:
            raise SpaceError(f"q={q:g} is outside [{_MIN_QUANTUM:g}, {_MAX_SIZE:g}]")
        if is_bounded(distribution) and not _multiples(distribution, first, second, q):
            raise SpaceError(f"no multiple of q={q:g} lies between min={first:g} and max={second:g}")


def quantile(distribution: str, first: float, second: float, q: float, u: float) -> float:
    """The value below which a share `u`, in [0, 1], of all draws falls; never decreasing in u.

    A quantised value is the multiple of q nearest to the plain one. With min and max it is the nearest one that lies
    between them, where wandb rounds past the ends (`min: 1, max: 10, q: 4` gives it 0, here 4).
    """
    if distribution == "int_uniform":
        count = int(second) - int(first) + 1
        return int(first) + min(int(u * count), count - 1)
    plain = _plain_quantile(distribution, first, second, u)
    if not distribution.startswith("q_"):
        return plain
    nearest = round(plain / q)
    if is_bounded(distribution):
        inside = _multiples(distribution, first, second, q)
        nearest = min(max(nearest, inside[0]), inside[-1])
    return _multiple(nearest, q)


def _plain_quantile(distribution: str, first: float, second: float, u: float) -> float:
    if is_bounded(distribution):
        low, high = _limits(distribution, first, second)
        if "log" in distribution:
            value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        else:
            value = low + u * (high - low)
        return min(max(value, low), high)  # rounding may step over an end
    u = min(max(u, _TINY), 1 - _TINY)
    if distribution.endswith("beta"):
        from scipy.special import betaincinv  # here, since it takes longer to import than everything else

        return float(betaincinv(first, second, u))
    value = NormalDist(first, second).inv_cdf(u)
    return math.exp(min(value, _MAX_EXPONENT)) if "log" in distribution else value


def grid_values(distribution: str, first: float, second: float, q: float) -> list[float]:
    """Every value that int_uniform, or a quantised distribution with ends, can draw, in order."""
    if distribution == "int_uniform":
        return list(range(int(first), int(second) + 1))
    return [_multiple(k, q) for k in _multiples(distribution, first, second, q)]


def count(distribution: str, first: float, second: float, q: float) -> float:
    """How many values can be drawn; infinite where there is no end or no step."""
    if distribution == "int_uniform":
        return int(second) - int(first) + 1
    if distribution.startswith("q_") and is_bounded(distribution):
        return len(_multiples(distribution, first, second, q))
    return math.inf


def _limits(distribution: str, first: float, second: float) -> tuple[float, float]:
    """Lowest and highest value. `log_uniform` is given by exponents of e, `inv_log_uniform` by those of 1/x;
    `inv_log_uniform_values`, log(1/x) uniform from log(1/max) to log(1/min), is log-uniform from min to max."""
    if distribution.endswith("inv_log_uniform"):
        return math.exp(-second), math.exp(-first)
    if distribution.endswith("log_uniform"):
        return math.exp(first), math.exp(second)
    return first, second


def _multiples(distribution: str, first: float, second: float, q: float) -> Sequence[int]:
    """The k for which k * q lies within the limits; the margin forgives that 0.3 / 0.1 is 2.999..."""
    low, high = _limits(distribution, first, second)
    return range(math.ceil(low / q - 1e-9), math.floor(high / q + 1e-9) + 1)


def _multiple(k: int, q: float) -> float:
    return float(f"{k * q:.15g}")  # 0.3, where 3 * 0.1 is 0.30000000000000004
