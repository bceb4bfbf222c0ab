"""The search space: wandb's schema read, checked, and drawn from."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from skin_tune.config import FIELDS, TrialConfig
from skin_tune.errors import SpaceError
from skin_tune.tuning.space.distributions import SHAPE_KEYS, check_shape, is_bounded, quantile
from skin_tune.tuning.space.parameters import EarlyTerminate, Parameter, Space
from skin_tune.tuning.space.sweep_file import load_space
from tests.cli_runner import ROOT

SPACES = ROOT / "search_spaces"
UNITS = st.floats(0, 1, exclude_max=True)

BRIEF = """\
method: bayes
metric:
  name: val_balanced_acc
  goal: maximize
parameters:
  learning_rate:
    distribution: log_uniform_values
    min: 0.00001
    max: 0.001
  gamma:
    values: [0.5, 1.0, 2.0, 3.0]
  dropout_prob:
    values: [0.2, 0.3, 0.4, 0.5]
"""


@pytest.fixture
def load(tmp_path):
    def load(text: str, **overrides) -> Space:
        path = tmp_path / "space.yaml"
        path.write_text(text, encoding="utf-8")
        return load_space(path, overrides)

    return load


@pytest.fixture
def one(load):
    """The parameter that one line of YAML describes."""

    def one(line: str, method: str = "random") -> Parameter:
        return load(f"method: {method}\nparameters:\n  {line}\n").parameters[0]

    return one


# Reading


def test_plain_sweep_file_loads(load):
    space = load(BRIEF)
    assert (space.method, space.metric, space.early_terminate, space.run_cap) == (
        "bayes",
        "val_balanced_acc",
        None,
        None,
    )
    rate, gamma, dropout = space.parameters
    assert (rate.name, rate.distribution, rate.shape) == ("learning_rate", "log_uniform_values", (1e-5, 1e-3))
    assert rate.choices is None
    assert rate.at(0.5) == pytest.approx(1e-4)
    assert (gamma.name, gamma.choices) == ("gamma", (0.5, 1.0, 2.0, 3.0))
    assert (dropout.name, dropout.choices) == ("dropout_prob", (0.2, 0.3, 0.4, 0.5))
    assert space.searched == space.parameters


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces_draw_legal_configs(path):
    space = load_space(path)
    assert space.method == "bayes"
    assert space.early_terminate is not None
    rng = np.random.default_rng(0)
    for _ in range(200):
        config = space.sample(rng)
        assert config.keys() == {parameter.name for parameter in space.parameters}
        assert TrialConfig.from_mapping(config).to_dict().items() >= config.items()


def test_a_space_survives_pickling(load):
    space = load(BRIEF)
    assert pickle.loads(pickle.dumps(space)) == space


def test_numbers_in_scientific_notation_are_read_as_numbers(load):
    """YAML 1.1 reads 1e-5 as text."""
    space = load(BRIEF.replace("0.00001", "1e-5").replace("0.001", "1e-3").replace("[0.5, 1.0", "[5e-1, 1E0"))
    assert space == load(BRIEF)


def test_keys_of_the_wandb_agent_are_allowed(load):
    agent = (
        "program: train.py\ncommand: [a, b]\nname: n\ndescription: d\nproject: p\nentity: e\napiVersion: v\n"
        "kind: sweep\ncontroller: {type: local}\njob: j\nimage_uri: i\n"
    )
    assert load(agent + BRIEF) == load(BRIEF)


@pytest.mark.parametrize(
    ("line", "distribution"),
    [
        ("epochs: {value: 3}", "constant"),
        ("epochs: {values: [3, 4]}", "categorical"),
        ("epochs: {min: 3, max: 4}", "int_uniform"),
        ("gamma: {min: 0, max: 4.0}", "uniform"),
        ("gamma: {min: 0.5, max: 4}", "uniform"),
        ("learning_rate: {min: 1e-5, max: 1e-3}", "uniform"),
    ],
)
def test_distribution_is_implied_as_in_wandb(one, line, distribution):
    assert one(line).distribution == distribution


def test_numbers_that_yaml_and_people_read_alike_are_taken(one):
    assert one("epochs: {values: [10, +11, 12.0, 2e1, '13', 08]}").values == (10, 11, 12, 20, 13, 8)
    assert one("learning_rate: {values: [.5, 5., 1.0e-3]}").values == (0.5, 5.0, 0.001)


def test_a_name_that_looks_like_a_number_is_no_matter(load):
    assert load("name: 2024_01\ndescription: 010\n" + BRIEF) == load(BRIEF)


def test_values_land_in_the_type_of_their_field(one):
    assert one("learning_rate: {values: [1e-3, 1]}").values == (0.001, 1.0)
    assert type(one("gamma: {min: 0, max: 2}").at(0.5)) is float
    assert type(one("epochs: {min: 1, max: 9}").at(0.5)) is int
    assert type(one("batch_size: {distribution: q_uniform, min: 16, max: 64, q: 16.0}").at(0.5)) is int
    assert one("amp: {values: ['yes', false]}").values == (True, False)
    assert one("weights: {value: null}").values == ("none",)
    text = "horizontal_flip rotation"
    assert one("augmentation_methods: {values: [[rotation, horizontal_flip], none]}").values == (text, "none")


def test_overrides_fix_and_add_parameters(load):
    space = load(BRIEF, gamma=1.0, epochs=5)
    assert [p.name for p in space.parameters] == ["learning_rate", "gamma", "dropout_prob", "epochs"]
    assert [p.name for p in space.searched] == ["learning_rate", "dropout_prob"]
    config = space.config({"learning_rate": 0.0, "dropout_prob": 0.99})
    assert config == {"learning_rate": pytest.approx(1e-5), "gamma": 1.0, "dropout_prob": 0.5, "epochs": 5}


def test_a_space_of_constants_is_legal(load):
    space = load("method: random\nparameters: {epochs: {value: 3}, backbone: {value: resnet18}}")
    assert space.searched == ()
    assert space.sample(np.random.default_rng()) == {"epochs": 3, "backbone": "resnet18"}
    assert list(space.grid()) == [{"epochs": 3, "backbone": "resnet18"}]


def test_metric_defaults_to_balanced_accuracy_and_may_be_macro_f1(load):
    assert load("method: random\nparameters: {epochs: {value: 3}}").metric == "val_balanced_acc"
    assert load(BRIEF.replace("val_balanced_acc", "val_macro_f1")).metric == "val_macro_f1"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("min_iter: 2", EarlyTerminate(2, 3, None)),
        ("min_iter: 2, eta: 2, strict: false", EarlyTerminate(2, 2, None)),
        ("min_iter: 2, max_iter: 18", EarlyTerminate(2, 3, 18)),
        ("max_iter: 27, s: 2", EarlyTerminate(3, 3, 27)),  # wandb's own example: brackets [9, 3]
        ("max_iter: 27, s: 9", EarlyTerminate(1, 3, 27)),  # brackets below 1 are dropped
        ("max_iter: 30, s: 2, eta: 2.5", EarlyTerminate(4, 2.5, 30)),  # 30/2.5/2.5 = 4.8
    ],
)
def test_hyperband_rungs_start_where_wandb_starts_them(load, keys, expected):
    assert load(BRIEF + f"early_terminate: {{type: hyperband, {keys}}}\n").early_terminate == expected


def test_run_cap_is_read(load):
    assert load(BRIEF + "run_cap: 7\n").run_cap == 7


# Drawing

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


def test_quantised_values_are_written_as_a_person_would(one):
    values = one("dropout_prob: {distribution: q_uniform, min: 0.1, max: 0.6, q: 0.1}").grid()
    assert values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


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


# Grid


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


# Errors

BAD_FILES = {
    "": "a space: None is not a mapping",
    "- a": "is not a mapping",
    "method: [": "is not valid YAML in line 1",
    "method: 2024-13-45": "is not valid YAML",
    "parameters: {}": "method is missing",
    "method: random": "parameters is missing",
    "method: random\nparameters:": "parameters: None is not a mapping",
    "method: random\nparameters: {}": "names no hyper-parameter",
    "method: bays\nparameters: {epochs: {value: 1}}": "'bays' is not one of bayes, random, grid; did you mean bayes?",
    "method: [grid]\nparameters: {epochs: {value: 1}}": "method=['grid'] is not one of",
    "method: custom\nparameters: {epochs: {value: 1}}": "method='custom' is not one of",
    BRIEF + "methd: bayes": "methd is not a key used here; did you mean method?",
    BRIEF + "scheduler: {engine: optuna}": "scheduler is not a key used here",
    BRIEF + "metrics: []": "metrics is not a key used here",
    BRIEF + "method: grid": "is not valid YAML in line 14: 'method' is given twice",
    BRIEF + "  gamma: {value: 1}": "'gamma' is given twice",
    BRIEF + "run_cap: 0": "run_cap=0 is not a whole number of at least 1",
    BRIEF + "run_cap: 1.5": "run_cap=1.5 is not a whole number",
    BRIEF + "run_cap: many": "run_cap='many' is not a finite number",
    BRIEF + "run_cap: true": "run_cap=True is not a finite number",
    BRIEF + "run_cap: 1_0": "run_cap=1_0 (in YAML 10) is not a finite number",
    BRIEF.replace("  name:", "  nam:"): "metric.nam is not a key used here; did you mean metric.name?",
    BRIEF.replace("  goal: maximize", "  goal: minimize"): "metric.goal='minimize' is not maximize",
    BRIEF.replace("  goal: maximize\n", ""): "metric.goal is missing, which wandb takes for minimize",
    BRIEF.replace("  name: val_balanced_acc\n", ""): "metric.name is missing",
    BRIEF.replace("val_balanced_acc", "val_balanced_ac"): "metric.name='val_balanced_ac' is not one of",
    BRIEF.replace("val_balanced_acc", "val_acc"): "is not one of val_balanced_acc, val_macro_f1",
}


@pytest.mark.parametrize("text", BAD_FILES, ids=BAD_FILES.values())
def test_a_malformed_file_is_refused_in_one_line(load, tmp_path, text):
    with pytest.raises(SpaceError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'space.yaml'}: ")
    assert BAD_FILES[text] in message
    assert "\n" not in message


BAD_STOPS = {
    "3": "early_terminate: 3 is not a mapping",
    "{min_iter: 1}": "early_terminate.type is missing",
    "{type: median, min_iter: 1}": "early_terminate.type='median' is not one of hyperband",
    "{type: hyperband}": "early_terminate.min_iter is missing",
    "{type: hyperband, max_iter: 9}": "early_terminate.min_iter is missing",
    "{type: hyperband, min_iter: 1, foo: 2}": "early_terminate.foo is not a key used here",
    "{type: hyperband, min_itr: 1}": "early_terminate.min_itr is not a key used here; did you mean",
    "{type: hyperband, min_iter: 0}": "early_terminate.min_iter=0 is not a whole number of at least 1",
    "{type: hyperband, min_iter: 1, eta: 1}": "early_terminate.eta=1 is not above 1",
    "{type: hyperband, min_iter: 1, eta: x}": "early_terminate.eta='x' is not a finite number",
    "{type: hyperband, min_iter: 1, strict: true}": "early_terminate.strict=True is not supported",
    "{type: hyperband, min_iter: 1, s: 2}": "early_terminate.s=2 goes with max_iter",
    "{type: hyperband, min_iter: 1, max_iter: 9, s: 2}": "early_terminate.s=2 goes with max_iter and without min_iter",
    "{type: hyperband, max_iter: 2, s: 1}": "early_terminate.max_iter=2 is below eta=3",
    "{type: hyperband, min_iter: 9, max_iter: 3}": "early_terminate.min_iter=9 is above max_iter=3",
}


@pytest.mark.parametrize("spec", BAD_STOPS, ids=BAD_STOPS.values())
def test_a_malformed_early_terminate_is_refused(load, spec):
    with pytest.raises(SpaceError) as caught:
        load(BRIEF + f"early_terminate: {spec}\n")
    assert BAD_STOPS[spec] in str(caught.value)


BAD_PARAMETERS = {
    "gama: {value: 1}": "parameters.gama: 'gama' is not a hyper-parameter; did you mean 'gamma'?",
    "7: {value: 1}": "parameters.7: '7' is not a hyper-parameter",
    "gamma: 2": "parameters.gamma: 2 is not a mapping",
    "gamma: {}": "parameters.gamma={} has none of value, values, min, max, distribution",
    "gamma: {sigma: 2}": "parameters.gamma.sigma is not a key used here",
    "optimizer: {parameters: {lr: {value: 1}}}": "parameters.optimizer.parameters: nested parameters are not supported",
    "gamma: {mn: 1, max: 2}": "parameters.gamma.mn is not a key used here; did you mean parameters.gamma.min?",
    "gamma: {min: 1, max: 2, q: 1}": "parameters.gamma.q is not a key used here",
    "gamma: {value: 1, values: [1]}": "parameters.gamma.values is not a key used here; did you mean",
    "gamma: {min: 1}": "parameters.gamma.max is missing",
    "gamma: {distribution: constant}": "parameters.gamma.value is missing",
    "gamma: {distribution: categorical}": "parameters.gamma.values is missing",
    "gamma: {distribution: categorical_w_probabilities, values: [1]}": "parameters.gamma.probabilities is missing",
    "gamma: {distribution: log_unifrom, min: 1, max: 2}": "distribution='log_unifrom' is not one of",
    "gamma: {distribution: 3, min: 1, max: 2}": "parameters.gamma.distribution=3 is not one of",
    "gamma: {values: 3}": "parameters.gamma.values: 3 is not a list of at least one",
    "gamma: {values: []}": "parameters.gamma.values: [] is not a list of at least one",
    "gamma: {values: [1, {a: 1}]}": "parameters.gamma.values: {'a': 1} is not a plain value",
    "gamma: {values: [1, 2, 1.0]}": "parameters.gamma.values: 1.0 is listed twice",
    "gamma: {values: [1, 2], probabilities: [1]}": "parameters.gamma.probabilities: 1 probabilities are given for 2",
    "gamma: {values: [1, 2], probabilities: [0.5, 0.6]}": "parameters.gamma.probabilities: [0.5, 0.6] are not >= 0",
    "gamma: {values: [1, 2], probabilities: [1.5, -0.5]}": "parameters.gamma.probabilities: [1.5, -0.5] are not",
    "gamma: {values: [1, 2], probabilities: [x, 1]}": "parameters.gamma.probabilities='x' is not a finite number",
    "gamma: {min: 2, max: 1}": "parameters.gamma: min=2 is not below max=1",
    "gamma: {min: 1.0, max: 1.0}": "parameters.gamma: min=1 is not below max=1",
    "gamma: {min: a, max: 1}": "parameters.gamma.min='a' is not a finite number",
    "gamma: {min: 0, max: .inf}": "parameters.gamma.max=inf is not a finite number",
    "gamma: {min: 0, max: .nan}": "parameters.gamma.max=nan is not a finite number",
    "gamma: {min: true, max: 2}": "parameters.gamma.min=True is not a finite number",
    f"gamma: {{min: 0, max: 1{'0' * 400}}}": "is not a finite number",
    "gamma: {min: 0, max: 1.0e+200}": "max=1e+200 is beyond 1e+100",
    "gamma: {distribution: int_uniform, min: 0.5, max: 2}": "int_uniform from 0.5 to 2 needs whole numbers",
    "learning_rate: {distribution: log_uniform_values, min: 0, max: 1}": "min=0 is not above 0",
    "learning_rate: {distribution: inv_log_uniform_values, min: 0, max: 1}": "min=0 is not above 0",
    "learning_rate: {distribution: log_uniform, min: 1, max: 1000}": "are exponents of e and may not pass 200",
    "gamma: {distribution: normal, mu: 2, sigma: 0}": "parameters.gamma: sigma=0 is not above 0",
    "smoothing: {distribution: beta, a: 0, b: 1}": "parameters.smoothing: a=0 and b=1 are not both above 0",
    "gamma: {distribution: q_uniform, min: 1, max: 2, q: 0}": "parameters.gamma: q=0 is outside",
    "gamma: {distribution: q_uniform, min: 0.2, max: 0.8}": "no multiple of q=1 lies between min=0.2 and max=0.8",
    "epochs: {min: 1.0, max: 9.0}": "parameters.epochs: uniform draws fractions but epochs is a whole number",
    "epochs: {distribution: q_uniform, min: 1, max: 9, q: 0.5}": "q_uniform draws fractions but epochs",
    "epochs: {values: [1, 2.5]}": "parameters.epochs.values: epochs=2.5 is not a whole number",
    "epochs: {value: 1_0}": "epochs=1_0 (in YAML 10) is not a whole number, such as 10",
    "epochs: {value: '1_0'}": "parameters.epochs.value: epochs='1_0' is not a whole number, such as 10",
    "epochs: {values: [5, 010]}": "parameters.epochs.values: epochs=010 (in YAML 8) is not a whole number",
    "epochs: {value: 1:30}": "epochs=1:30 (in YAML 90) is not a whole number",
    "gamma: {min: 0, max: 1_0.5}": "parameters.gamma.max=1_0.5 (in YAML 10.5) is not a finite number",
    "learning_rate: {value: 1_0e-3}": "learning_rate='1_0e-3' is not a number, such as 0.5",
    "gamma: {values: [1, 2], probabilities: [0_1, 0]}": "probabilities=0_1 (in YAML 1) is not a finite",
    "backbone: {min: 1, max: 2}": "parameters.backbone: int_uniform draws numbers but backbone is not one",
    "amp: {min: 0, max: 1}": "parameters.amp: int_uniform draws numbers but amp is not one",
    "backbone: {values: [resnet18, resnet12]}": "parameters.backbone.values: backbone='resnet12' is not one of",
    "dropout_prob: {value: 1}": "parameters.dropout_prob.value: dropout_prob=1.0 is outside [0, 1)",
    "dropout_prob: {min: 0.0, max: 1.0}": "dropout_prob: uniform with min=0, max=1 reaches: dropout_prob=1.0",
    "gamma: {min: -1.0, max: 1.0}": "parameters.gamma: uniform with min=-1, max=1 reaches: gamma=-1.0 is outside",
    "learning_rate: {distribution: normal}": "learning_rate: normal with mu=0, sigma=1 reaches: learning_rate=-3",
    "smoothing: {distribution: q_beta, q: 0.5}": "parameters.smoothing: q_beta with a=1, b=1 reaches: smoothing=1.0",
}


@pytest.mark.parametrize("line", BAD_PARAMETERS, ids=BAD_PARAMETERS.values())
def test_a_malformed_parameter_is_refused_by_name(one, line):
    with pytest.raises(SpaceError) as caught:
        one(line)
    assert BAD_PARAMETERS[line] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gama", "gamma"])
def test_an_illegal_override_is_refused_by_name(load, name):
    with pytest.raises(SpaceError, match=rf"parameters\.{name}"):
        load(BRIEF, **{name: -1})


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SpaceError, match=r"none\.yaml: cannot be read: No such file"):
        load_space(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00m", b"[" * 5000, b"a: \x00", b"? [a]\n: 1"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path, content):
    path = tmp_path / "space.yaml"
    path.write_bytes(content)
    with pytest.raises(SpaceError, match="is not valid YAML"):
        load_space(path)


def test_yaml_tags_run_nothing(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("method: !!python/object/apply:os.getcwd []")
    with pytest.raises(SpaceError, match="is not valid YAML in line 1: could not determine a constructor"):
        load_space(path)
