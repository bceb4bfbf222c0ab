"""What cannot work on a pack leaves the space."""

import pytest

from skin_tune.errors import SpaceError
from skin_tune.tuning.space.fitting import Limit, fitted
from skin_tune.tuning.space.parameters import Parameter, Space

LIMITS = {"batch_size": Limit(42, "the training set has 42 images")}


def fit(parameter: Parameter) -> tuple[Parameter, list[str]]:
    space, lines = fitted(Space("random", "val_balanced_acc", (parameter,)), LIMITS)
    return space.parameters[0], lines


@pytest.mark.parametrize(
    ("line", "kept", "said"),
    [
        ("batch_size: {values: [16, 64, 32, 128]}", (16, 32), "batch_size=64, 128 cannot work and is not searched"),
        ("batch_size: {values: [16, 64]}", (16,), "batch_size=64 cannot work and is not searched"),
    ],
)
def test_a_list_loses_what_is_too_large(one, line, kept, said):
    parameter, lines = fit(one(line))
    assert parameter.values == kept
    assert lines == [f"{said}: the training set has 42 images"]
    assert parameter.is_constant == (len(kept) == 1)


def test_chances_are_shared_out_among_the_values_that_are_left(one):
    parameter, _ = fit(one("batch_size: {values: [8, 16, 64], probabilities: [0.1, 0.3, 0.6]}"))
    assert parameter.values == (8, 16)
    assert parameter.probabilities == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("batch_size: {min: 8, max: 400}", 42),
        ("batch_size: {distribution: q_uniform, min: 8, max: 400, q: 8}", 40),
        ("batch_size: {distribution: q_log_uniform_values, min: 8, max: 400, q: 8}", 40),
        ("batch_size: {distribution: q_log_uniform, min: 2, max: 6, q: 4}", 40),  # e**2 to e**6
    ],
)
def test_a_range_ends_at_the_largest_value_that_works(one, line, most):
    before = one(line)
    after, lines = fit(before)
    assert after.at(0.0) == before.at(0.0)
    assert after.at(1.0) == most
    assert lines == [
        f"batch_size is searched up to {most}, not {before.at(1.0)}: the training set has 42 images",
    ]


def test_a_range_of_which_one_value_is_left_is_a_constant(one):
    parameter, _ = fit(one("batch_size: {distribution: q_uniform, min: 32, max: 128, q: 32}"))
    assert (parameter.is_constant, parameter.at(0.0)) == (True, 32)


@pytest.mark.parametrize(
    "line",
    [
        "batch_size: {values: [16, 42]}",
        "batch_size: {min: 8, max: 42}",
        "batch_size: {value: 64}",
        "batch_size: {distribution: q_normal, mu: 64, sigma: 4, q: 2}",
        "gamma: {values: [1, 64]}",
    ],
)
def test_what_works_has_no_limit_or_no_end_stays(one, line):
    before = one(line)
    assert fit(before) == (before, [])


@pytest.mark.parametrize(
    "line",
    [
        "batch_size: {values: [64, 128]}",
        "batch_size: {min: 43, max: 400}",
        "batch_size: {values: [16, 64], probabilities: [0, 1]}",
    ],
)
def test_where_nothing_is_left_the_space_is_refused(one, line):
    with pytest.raises(SpaceError, match=r"batch_size: no value that can be drawn works: the training set has 42"):
        fit(one(line))
