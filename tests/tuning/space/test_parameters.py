"""Draws and grids of a space are legal configs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from skin_tune.config import FIELDS, TrialConfig
from skin_tune.errors import SpaceError
from skin_tune.tuning.space.parameters import Space
from skin_tune.tuning.space.sweep_file import load_space
from tests.tuning.space.conftest import BRIEF

UNITS = st.floats(0, 1, exclude_max=True)


def test_quantised_values_are_written_as_a_person_would(one):
    values = one("dropout_prob: {distribution: q_uniform, min: 0.1, max: 0.6, q: 0.1}").grid()
    assert values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


MIXED = """\
method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-3}
  weight_decay: {distribution: inv_log_uniform, min: 2, max: 9}
  dropout_prob: {distribution: q_uniform, min: 0.0, max: 0.5, q: 0.05}
  smoothing: {distribution: beta, a: 2, b: 8}
  gamma: {distribution: log_normal, mu: 0, sigma: 0.5}
  batch_size: {distribution: q_log_uniform_values, min: 16, max: 128, q: 8}
  epochs: {min: 2, max: 9}
  train_loss: {values: [cb, ce, focal], probabilities: [0.7, 0.3, 0]}
  amp: {values: [true, false]}
  image_size: {value: 64}
"""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Space:
    path = tmp_path_factory.mktemp("space") / "mixed.yaml"
    path.write_text(MIXED, encoding="utf-8")
    return load_space(path)


@given(units=st.lists(UNITS, min_size=9, max_size=9))
def test_every_draw_is_a_legal_config_of_the_right_types(mixed, units):
    config = mixed.config(dict(zip([p.name for p in mixed.searched], units, strict=True)))
    TrialConfig.from_mapping(config)
    for name, value in config.items():
        assert type(value) is FIELDS[name]
    assert 1e-5 <= config["learning_rate"] <= 1e-3
    assert config["batch_size"] % 8 == 0
    assert 16 <= config["batch_size"] <= 128
    assert 2 <= config["epochs"] <= 9
    assert config["train_loss"] != "focal"


def test_probabilities_are_respected(one):
    loss = one("train_loss: {values: [ce, cb, focal], probabilities: [0, 0.25, 0.75]}")
    drawn = [loss.at(u) for u in np.linspace(0, 1, 4000, endpoint=False)]
    assert [drawn.count(value) for value in ("ce", "cb", "focal")] == [0, 1000, 3000]
    assert loss.at(1.0) == "focal"
    assert loss.choices is None


def test_plain_categories_are_equally_likely(one):
    gamma = one("gamma: {values: [0, 1, 2]}")
    drawn = [gamma.at(u) for u in np.linspace(0, 1, 3000, endpoint=False)]
    assert [drawn.count(value) for value in (0, 1, 2)] == [1000, 1000, 1000]


def test_sampling_repeats_with_its_seed_and_follows_the_prior(load):
    space = load(BRIEF)
    first, again = (space.sample(np.random.default_rng(5)) for _ in range(2))
    assert first == again
    rng = np.random.default_rng(1)
    logs = np.log10([space.sample(rng)["learning_rate"] for _ in range(2000)])
    assert stats.kstest(logs, stats.uniform(-5, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("u", [-0.1, 1.1, math.nan])
def test_a_unit_outside_0_1_is_refused(one, u):
    with pytest.raises(ValueError, match="outside"):
        one("gamma: {values: [0, 1]}").at(u)


def test_grid_is_the_full_product(load):
    space = load(
        "method: grid\nparameters: {gamma: {values: [0.5, 2]}, epochs: {min: 3, max: 5}, seed: {value: 1},"
        " batch_size: {distribution: q_uniform, min: 16, max: 48, q: 16}}"
    )
    configs = list(space.grid())
    assert len(configs) == 2 * 3 * 1 * 3
    assert configs[0] == {"gamma": 0.5, "epochs": 3, "seed": 1, "batch_size": 16}
    assert configs[-1] == {"gamma": 2.0, "epochs": 5, "seed": 1, "batch_size": 48}
    assert len({tuple(config.items()) for config in configs}) == len(configs)


@pytest.mark.parametrize(
    "line",
    [
        "gamma: {min: 0.0, max: 2.0}",
        "learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 1e-3}",
        "gamma: {distribution: q_normal, mu: 50, q: 0.5}",
        "gamma: {values: [0, 1], probabilities: [0.5, 0.5]}",
    ],
)
def test_grid_refuses_by_name_what_it_cannot_enumerate(one, line):
    with pytest.raises(SpaceError, match=rf"parameters\.{line.split(':')[0]}: method grid cannot enumerate"):
        one(line, method="grid")
