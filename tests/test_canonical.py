import itertools
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skin_tune.config import FIELDS, TrialConfig, canonical, key_of, live, settled
from skin_tune.config.canonical import RULES, is_live, parents_first
from skin_tune.config.choices import LOSSES, OPTIMIZERS
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.sweep_file import load_space

DEFAULT = Path(__file__).parents[1] / "search_spaces" / "default.yaml"
OF_LOSSES = {"gamma", "beta", "smoothing", "reweight_after", "tau", "sord_width"}


@pytest.mark.parametrize(
    ("changes", "dead"),
    [
        ({"train_loss": "ce"}, OF_LOSSES),
        ({"train_loss": "label_smoothing"}, OF_LOSSES - {"smoothing"}),
        ({"train_loss": "focal"}, OF_LOSSES - {"gamma"}),
        ({"train_loss": "cb"}, OF_LOSSES - {"gamma", "beta", "reweight_after"}),
        ({"train_loss": "ldam"}, OF_LOSSES - {"beta", "reweight_after"}),
        ({"train_loss": "logit_adjustment"}, OF_LOSSES - {"tau"}),
        ({"train_loss": "sord"}, OF_LOSSES - {"sord_width"}),
        ({"train_loss": "ldam", "epochs": 5, "reweight_after": 5}, OF_LOSSES - {"reweight_after"}),
        ({"oversample": "none"}, {"target_samples_per_class"}),
        ({"target_samples_per_class": 50}, {"epoch_images"}),
        ({"augmentation_methods": "none"}, {"augment", "augmentation_strength"}),
        ({"augmentation_methods": "horizontal_flip"}, {"augmentation_strength"}),
        ({"augment": "added"}, set()),
        (
            {"augment": "added", "oversample": "none"},
            {"target_samples_per_class", "augmentation_methods", "augmentation_strength"},
        ),
        ({"augment": "added", "oversample": "none", "epoch_images": 500}, {"target_samples_per_class"}),
        ({"freeze_epochs": 30, "epochs": 30}, {"layer_decay"}),
    ],
    ids=lambda given: str(sorted(given) if isinstance(given, set) else given),  # the same in every process
)
def test_what_others_switch_off_is_dead(changes: dict[str, Any], dead: set[str]):
    values = TrialConfig.from_mapping(changes).to_dict()
    of_the_loss = set() if "train_loss" in changes else OF_LOSSES
    assert FIELDS.keys() - live(values) == dead | of_the_loss
    form = canonical(values)
    assert {name for name, value in form.items() if value is None} == dead | of_the_loss
    assert all(form[name] == values[name] for name in live(values))


CHOSEN = st.fixed_dictionaries(
    {
        "train_loss": st.sampled_from(list(LOSSES)),
        "gamma": st.sampled_from([0.0, 2.0]),
        "beta": st.sampled_from([0.0, 0.99]),
        "reweight_after": st.integers(0, 4),
        "epochs": st.sampled_from([1, 3]),
        "freeze_epochs": st.integers(0, 4),
        "layer_decay": st.sampled_from([0.7, 1.0]),
        "oversample": st.sampled_from(["none", "sqrt"]),
        "target_samples_per_class": st.sampled_from([0, 50]),
        "epoch_images": st.sampled_from([-1, 0]),
        "augment": st.sampled_from(["added", "all"]),
        "augmentation_methods": st.sampled_from(["none", "horizontal_flip", "rotation", "horizontal_flip blur"]),
        "augmentation_strength": st.sampled_from([0.5, 1.0]),
    }
)


@given(CHOSEN)
def test_a_canonical_form_read_back_has_the_same_form(chosen: dict[str, Any]):
    values = TrialConfig.from_mapping(chosen).to_dict()
    form = canonical(values)
    again = TrialConfig.from_stored(form).to_dict()
    assert again == settled(values)
    assert canonical(again) == form
    assert key_of(again) == key_of(values)


def test_the_default_space_has_162_behaviours_for_each_batch_size():
    # 18 losses (ce, logit adjustment, cb with 4 x 4 gammas and betas), 3 ways to oversample, 3 strengths to augment.
    space = load_space(DEFAULT, {"learning_rate": 1e-4, "weight_decay": 0.01, "dropout_prob": 0.3})
    combinations = list(itertools.product(*(parameter.values for parameter in space.searched)))
    names = [parameter.name for parameter in space.searched]
    defaults = TrialConfig().to_dict()
    keys = {key_of({**defaults, **dict(zip(names, values, strict=True))}) for values in combinations}
    assert (len(combinations), len(keys)) == (3 * 432, 3 * 162)
    listed = Configs(space).listed(10_000)
    assert listed is not None
    assert len(listed) == 3 * 162
    assert len({key_of(config) for config in listed}) == 3 * 162


def test_rules_are_of_hyper_parameters_and_come_after_those_on_what_they_read():
    known = {field.name for field in fields(TrialConfig)}
    for choice in (*LOSSES.values(), *OPTIMIZERS.values()):
        assert set(choice.uses) <= known
    for rule in RULES:
        assert {rule.name, *rule.reads} <= known
        late = {read for read in rule.reads if read != rule.name and parents_first(read) > parents_first(rule.name)}
        assert late <= ({"augment"} if rule.name == "augmentation_methods" else set())


def test_what_decides_and_is_not_known_yet_leaves_it_live():
    assert is_live("gamma", {})
    assert is_live("gamma", {"train_loss": "cb"})
    assert not is_live("gamma", {"train_loss": "ce"})


def test_numbers_that_differ_by_a_rounding_are_one_config():
    values = TrialConfig(learning_rate=1e-4).to_dict()
    assert key_of({**values, "learning_rate": 1e-4 * (1 + 1e-15)}) == key_of(values)
    assert key_of({**values, "learning_rate": 1.0001e-4}) != key_of(values)
    assert key_of(dict(reversed(values.items()))) == key_of(values)
