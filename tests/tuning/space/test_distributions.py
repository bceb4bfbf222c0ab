"""Distributions are wandb's: held against scipy's quantile functions."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from skin_tune.tuning.space.distributions import SHAPE_KEYS, check_shape, is_bounded, quantile

UNITS = st.floats(0, 1, exclude_max=True)


SCIPY = {
    ("uniform", 0.1, 0.5): stats.uniform(0.1, 0.4),
    ("log_uniform", -9.0, -2.0): stats.loguniform(math.exp(-9), math.exp(-2)),
    ("log_uniform_values", 1e-5, 1e-2): stats.loguniform(1e-5, 1e-2),
    ("inv_log_uniform", 2.0, 9.0): stats.loguniform(math.exp(-9), math.exp(-2)),
    ("inv_log_uniform_values", 1e-5, 1e-2): stats.loguniform(1e-5, 1e-2),
    ("int_uniform", 3, 9): stats.randint(3, 10),
    ("normal", 2.0, 0.5): stats.norm(2.0, 0.5),
    ("log_normal", -5.0, 0.7): stats.lognorm(0.7, scale=math.exp(-5.0)),
    ("beta", 2.0, 3.5): stats.beta(2.0, 3.5),
}


@pytest.mark.parametrize("shape", SCIPY, ids=lambda shape: shape[0])
@pytest.mark.parametrize("u", [0.001, 0.1, 0.25, 0.5, 0.77, 0.999])
def test_quantiles_agree_with_scipy(shape, u):
    distribution, first, second = shape
    assert quantile(distribution, first, second, 1.0, u) == pytest.approx(SCIPY[shape].ppf(u), rel=1e-9)


def test_inverse_log_uniform_has_a_uniform_log_of_the_inverse():
    """Its definition: log(1/X) is uniform between min and max."""
    draws = [math.log(1 / quantile("inv_log_uniform", 2.0, 9.0, 1.0, u)) for u in np.linspace(0, 1, 1001)]
    assert sorted(draws) == pytest.approx(list(np.linspace(2, 9, 1001)))


@pytest.mark.parametrize(
    ("distribution", "first", "second", "q"),
    [
        ("q_uniform", 0.0, 1.0, 0.1),
        ("q_log_uniform", 0.0, 4.0, 2.0),
        ("q_log_uniform_values", 1.0, 64.0, 1.0),
        ("q_normal", 3.0, 2.0, 0.5),
        ("q_log_normal", 1.0, 0.5, 0.25),
        ("q_beta", 2.0, 2.0, 0.05),
    ],
)
def test_quantised_draws_are_the_plain_ones_rounded(distribution, first, second, q):
    """The documented round(X / q) * q; the limits here are multiples of q or round to ones inside."""
    for u in np.linspace(0.02, 0.98, 97):
        plain = quantile(distribution.removeprefix("q_"), first, second, 1.0, u)
        assert quantile(distribution, first, second, q, u) == pytest.approx(np.round(plain / q) * q)


def test_quantised_draws_stay_between_min_and_max():
    draws = {quantile("q_uniform", 1, 10, 4, u) for u in np.linspace(0, 1, 101)}
    assert draws == {4, 8}


@st.composite
def shapes(draw):
    """Any distribution with a legal shape."""
    distribution = draw(st.sampled_from(sorted(SHAPE_KEYS)))
    if distribution == "int_uniform":
        first = draw(st.integers(-1000, 1000))
        second = first + draw(st.integers(1, 1000))
    elif is_bounded(distribution):
        lowest = 1e-6 if distribution.endswith("values") else -50.0
        first = draw(st.floats(lowest, 40.0))
        second = first + draw(st.floats(0.5, 10.0))
        if distribution.endswith("log_uniform"):
            second = max(second, 0.0)  # else e**min to e**max may hold no multiple of q
    else:
        first, second = draw(st.floats(0.1, 5.0)), draw(st.floats(0.1, 5.0))
    q = draw(st.sampled_from([0.05, 0.1, 0.25]))
    return distribution, first, second, q


@given(shapes(), UNITS, UNITS)
@example(("q_log_uniform", 30.75, 31.75, 0.05), 0.0, 0.0)  # a multiple of q is as fine as a float can say
def test_quantiles_are_monotone_inside_the_bounds_and_quantised(shape, u, v):
    distribution, first, second, q = shape
    check_shape(*shape)
    low, high = (quantile(distribution, first, second, q, unit) for unit in sorted((u, v)))
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low <= high
    if distribution.startswith("q_"):
        assert low / q == pytest.approx(round(low / q), rel=1e-9, abs=1e-6)
    if is_bounded(distribution):
        ends = (first, second)
        if distribution.endswith("inv_log_uniform"):
            ends = (math.exp(-second), math.exp(-first))
        elif distribution.endswith("log_uniform"):
            ends = (math.exp(first), math.exp(second))
        assert ends[0] - abs(ends[0]) * 1e-9 - 1e-9 <= low
        assert high <= ends[1] + abs(ends[1]) * 1e-9 + 1e-9
