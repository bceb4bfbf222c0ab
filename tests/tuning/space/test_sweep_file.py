"""The search space: wandb's schema read, checked, and drawn from."""

import pickle

import numpy as np
import pytest

from skin_tune.config import TrialConfig
from skin_tune.errors import SpaceError
from skin_tune.tuning.space.parameters import EarlyTerminate
from skin_tune.tuning.space.sweep_file import load_space
from tests.cli_runner import ROOT
from tests.tuning.space.conftest import BRIEF

SPACES = ROOT / "search_spaces"


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
        ("min_iter: 2", EarlyTerminate(2, 3, None, 1)),
        ("min_iter: 2, eta: 2, strict: false", EarlyTerminate(2, 2, None, 1)),
        ("min_iter: 2, max_iter: 18", EarlyTerminate(2, 3, 18, 1)),
        ("max_iter: 27, s: 2", EarlyTerminate(3, 3, 27, 1)),  # wandb's own example: brackets [9, 3]
        ("max_iter: 27, s: 9", EarlyTerminate(1, 3, 27, 1)),  # brackets below 1 are dropped
        ("max_iter: 30, s: 2, eta: 2.5", EarlyTerminate(4, 2.5, 30, 1)),  # 30/2.5/2.5 = 4.8
    ],
)
def test_hyperband_rungs_start_where_wandb_starts_them_but_for_the_warm_up(load, keys, expected):
    assert load(BRIEF + f"early_terminate: {{type: hyperband, {keys}}}\n").early_terminate == expected


@pytest.mark.parametrize(
    ("parameters", "after"),
    [
        ("epochs: {value: 30}", 1),  # the default's warm-up
        ("warmup_epochs: {value: 0}", 0),
        ("warmup_epochs: {values: [0, 3, 1]}", 3),
        ("warmup_epochs: {min: 0, max: 4}", 4),
        ("warmup_epochs: {value: 9}\n  epochs: {values: [4, 9]}", 5),  # a schedule warms up for 4.5 of 9 at most
    ],
)
def test_rungs_come_after_the_longest_warm_up(load, parameters, after):
    text = f"method: random\nearly_terminate: {{type: hyperband, min_iter: 2}}\nparameters:\n  {parameters}\n"
    assert load(text).early_terminate == EarlyTerminate(2, 3, None, after)


@pytest.mark.parametrize(("method", "first"), [("bayes", True), ("random", True), ("grid", False)])
def test_a_search_begins_with_the_defaults_and_a_grid_does_not(load, method, first):
    assert load(f"method: {method}\nparameters:\n  gamma: {{values: [1, 2]}}\n").defaults_first == first


def test_random_weights_get_the_default_space_with_higher_learning_rates():
    default, scratch = (load_space(SPACES / f"{name}.yaml") for name in ("default", "scratch"))
    others = [
        (ours, theirs) for ours, theirs in zip(default.parameters, scratch.parameters, strict=True) if ours != theirs
    ]
    assert [ours.name for ours, _ in others] == ["learning_rate", "weights"]
    rate = others[0][1]
    assert rate.at(0.0) == pytest.approx(3e-4)
    assert rate.at(1.0) == pytest.approx(1e-2)
    assert scratch.config(scratch.units_of(TrialConfig().to_dict()))["learning_rate"] == pytest.approx(3e-6**0.5)


def test_run_cap_is_read(load):
    assert load(BRIEF + "run_cap: 7\n").run_cap == 7


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
