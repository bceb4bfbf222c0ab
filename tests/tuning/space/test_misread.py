"""Limits given to a distribution that takes their logarithms, and other shapes that draw what nobody meant."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from skin_tune.errors import SpaceError
from skin_tune.tuning.space.parameters import Parameter
from skin_tune.tuning.space.sweep_file import load_space


@pytest.fixture
def one(tmp_path: Path) -> Callable[[str], Parameter]:
    """The parameter that one line of YAML describes."""

    def one(line: str) -> Parameter:
        path = tmp_path / "space.yaml"
        path.write_text(f"method: random\nparameters:\n  {line}\n")
        return load_space(path).parameters[0]

    return one


VALUES = {
    "learning_rate: {distribution: log_uniform, min: 0.00001, max: 0.001}": (
        "min=1e-05, max=0.001 are exponents of e to log_uniform, which would draw from 1.00001 to 1.001; "
        "give the limits themselves with log_uniform_values"
    ),
    "learning_rate: {distribution: log_uniform, min: 1e-4, max: 1.0}": "from 1.0001 to 2.71828; give the limits",
    "learning_rate: {distribution: log_uniform, min: 5e-4, max: 1e-3}": "from 1.0005 to 1.001; give the limits",
    "weight_decay: {distribution: inv_log_uniform, min: 1e-4, max: 0.1}": (
        "to inv_log_uniform, which would draw from 0.904837 to 0.9999; give the limits themselves with "
        "inv_log_uniform_values"
    ),
    "dropout_prob: {distribution: log_uniform, min: 0.1, max: 0.6}": "from 1.10517 to 1.82212; give the limits",
    "dropout_prob: {distribution: log_uniform, min: 0.3, max: 0.6}": (
        "dropout_prob=1.3498588075760032 is outside [0, 1); min and max are exponents of e here, see log_uniform_values"
    ),
    "batch_size: {distribution: q_log_uniform, min: 16, max: 128, q: 8}": (
        "from 8.88611e+06 to 3.88771e+55; give the limits themselves with q_log_uniform_values"
    ),
    "epochs: {distribution: q_log_uniform, min: 5, max: 30}": "to q_log_uniform, which would draw from 148.413 to 1.06",
    "learning_rate: {distribution: log_normal, mu: 0.001, sigma: 0.0005}": (
        "mu=0.001, sigma=0.0005 are of the logarithm to log_normal, which would draw from 0.999455 to 1.00255; "
        "for draws around 0.001 give mu=-6.91"
    ),
}


@pytest.mark.parametrize("line", VALUES, ids=VALUES)
def test_values_where_exponents_belong_are_refused_with_what_they_would_draw(
    one: Callable[[str], Parameter], tmp_path: Path, line: str
):
    with pytest.raises(SpaceError) as caught:
        one(line)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'space.yaml'}: parameters.{line.partition(':')[0]}: ")
    assert VALUES[line] in message
    assert "\n" not in message


MEANT = {
    "learning_rate: {distribution: log_uniform, min: -9, max: -5}": (math.exp(-9), math.exp(-5)),
    "learning_rate: {distribution: log_uniform, min: -11.5, max: -6.9}": (math.exp(-11.5), math.exp(-6.9)),
    "learning_rate: {distribution: log_uniform, min: -1, max: 0}": (math.exp(-1), 1),
    "learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 1e-3}": (1e-5, 1e-3),
    "gamma: {distribution: log_uniform, min: 0, max: 1}": (1, math.e),
    "gamma: {distribution: log_uniform, min: -0.7, max: 0.7}": (math.exp(-0.7), math.exp(0.7)),
    "gamma: {distribution: log_uniform, min: 0.5, max: 1}": (math.exp(0.5), math.e),
    "gamma: {distribution: log_uniform, min: 0.2, max: 1.6}": (math.exp(0.2), math.exp(1.6)),
    "weight_decay: {distribution: inv_log_uniform, min: 2, max: 9}": (math.exp(-9), math.exp(-2)),
    "weight_decay: {distribution: inv_log_uniform, min: 3, max: 16}": (math.exp(-16), math.exp(-3)),
    "epochs: {distribution: q_log_uniform, min: 2.3, max: 3.4}": (10, 29),
    "batch_size: {distribution: q_log_uniform, min: 2.77, max: 4.86, q: 8}": (16, 128),
    "target_samples_per_class: {distribution: q_log_uniform, min: 4, max: 9, q: 1}": (55, 8103),
}


@pytest.mark.parametrize("line", MEANT, ids=MEANT)
def test_exponents_draw_their_exponentials(one: Callable[[str], Parameter], line: str):
    parameter = one(line)
    assert (parameter.at(0.0), parameter.at(1.0)) == pytest.approx(MEANT[line])


@pytest.mark.parametrize(("mu", "sigma"), [(0, 0.5), (0.1, 0.5), (-7, 0.05), (0.5, 0.05)])
def test_the_mean_and_spread_of_a_logarithm_are_taken(one: Callable[[str], Parameter], mu: float, sigma: float):
    parameter = one(f"gamma: {{distribution: log_normal, mu: {mu}, sigma: {sigma}}}")
    assert parameter.at(0.5) == pytest.approx(math.exp(mu))


def test_exponents_where_values_belong_are_refused_with_the_other_name(one: Callable[[str], Parameter]):
    with pytest.raises(SpaceError, match=r"min=-9 is not above 0, as .* go with log_uniform$"):
        one("learning_rate: {distribution: log_uniform_values, min: -9, max: -5}")


ALIKE = {
    "weight_decay: {distribution: q_uniform, min: 0.0, max: 0.1}": "min=0, max=0.1 in steps of q=1 draws nothing but 0",
    "gamma: {distribution: q_uniform, min: 0, max: 2, q: 5}": "in steps of q=5 draws nothing but 0; give a value",
    "weight_decay: {distribution: q_normal, mu: 0.05, sigma: 0.01}": "in steps of q=1 draws nothing but 0",
}


@pytest.mark.parametrize("line", ALIKE, ids=ALIKE)
def test_a_step_that_leaves_one_value_is_refused(one: Callable[[str], Parameter], line: str):
    with pytest.raises(SpaceError) as caught:
        one(line)
    assert ALIKE[line] in str(caught.value)


def test_two_values_are_enough(one: Callable[[str], Parameter]):
    assert one("gamma: {distribution: q_uniform, min: 0, max: 2, q: 2}").grid() == (0, 2)
