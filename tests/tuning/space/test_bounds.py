"""A search that comes up against its space says so."""

import pytest

from skin_tune.tuning.space.bounds import bound_warnings
from skin_tune.tuning.space.parameters import Space

RATE = "learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-3}"


@pytest.fixture
def said(one):
    """The warnings of a space of one parameter whose best trials have certain values."""

    def said(line: str, *best: float | None) -> list[str]:
        parameter = one(line)
        rows = [{f"config/{parameter.name}": value} for value in best]
        return bound_warnings(Space("random", "val_balanced_acc", (parameter,)), rows)

    return said


def test_the_best_trials_at_a_bound_ask_for_a_wider_range(said):
    # The outer 5 % of two decades begin a tenth of a decade from their end: 1e-3 / 10**0.1 = 7.9e-4.
    near = "the 3 best trials have learning_rate within 5 % of its"
    assert said(RATE, 8e-4, 9.9e-4, 1e-3) == [f"{near} upper bound 0.001: widen it"]
    assert said(RATE, 1.2e-5, 1e-5, 1.1e-5, 5e-4) == [f"{near} lower bound 1e-05: widen it"]


@pytest.mark.parametrize("best", [(8e-4, 9e-4), (8e-4, 7e-4, 9e-4), (8e-4, None, 9e-4), (1e-5, 1e-3, 1e-3)])
def test_fewer_trials_others_or_both_bounds_say_nothing(said, best):
    assert said(RATE, *best) == []


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("dropout_prob: {min: 0.0, max: 0.6}", (0.0, 0.01, 0.02)),  # no dropout is less than none
        ("epochs: {min: 5, max: 9}", (9, 9, 9)),  # as every fifth draw
        ("learning_rate: {values: [1.0e-3, 1.0e-2]}", (1e-2, 1e-2, 1e-2)),
        ("gamma: {distribution: normal, mu: 2, sigma: 0.1}", (9.0, 9.0, 9.0)),
    ],
)
def test_bounds_that_say_nothing_of_the_search_are_left_out(said, line, values):
    assert said(line, *values) == []
