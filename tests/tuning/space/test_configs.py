"""Configs of a space have values where they do something, and each is listed once."""

from pathlib import Path
from typing import Any

import pytest

from skin_tune.config import TrialConfig, key_of, live
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.sweep_file import space_of

LOSSES = {"train_loss": {"values": ["cb", "focal", "ce"]}, "gamma": {"values": [0.5, 1.0]}, "beta": {"values": [0.9]}}


def configs_of(parameters: dict[str, Any], method: str = "random") -> Configs:
    return Configs(space_of({"method": method, "parameters": parameters}, {}))


def asked_for(configs: Configs, **chosen: Any) -> list[str]:
    """The parameters for which a value is asked, in their order, where the answers are `chosen`."""
    names: list[str] = []

    def choose(parameter: Any) -> Any:
        names.append(parameter.name)
        return chosen[parameter.name]

    configs.assign(choose)
    return names


def test_a_value_is_asked_for_where_it_does_something_and_after_those_that_decide_it():
    configs = configs_of({"gamma": {"min": 0.5, "max": 3.0}, **LOSSES})
    assert asked_for(configs, train_loss="cb", gamma=1.0, beta=0.9) == ["train_loss", "gamma", "beta"]
    assert asked_for(configs, train_loss="ce") == ["train_loss"]


def test_a_constant_decides_as_a_searched_value_does():
    configs = configs_of({"augmentation_methods": {"value": "none"}, "augment": {"values": ["added", "all"]}})
    assert asked_for(configs) == []
    listed = configs.listed(99)
    assert listed is not None
    assert len(listed) == 1


@pytest.mark.parametrize("method", ["random", "grid"])
def test_each_config_is_listed_once(method: str):
    listed = configs_of(LOSSES, method).listed(99)
    assert listed is not None
    assert [(each["train_loss"], each["gamma"]) for each in listed] == [
        *(("cb", 0.5), ("cb", 1.0), ("focal", 0.5), ("focal", 1.0)),
        ("ce", TrialConfig.gamma),
    ]
    assert all(each.keys() == TrialConfig().to_dict().keys() for each in listed)


def test_configs_that_train_alike_by_what_is_drawn_later_are_listed_once():
    words = ["none", "horizontal_flip"]
    methods = {"augmentation_methods": {"values": words}, "augment": {"values": ["all", "added"]}}
    listed = configs_of({**methods, "oversample": {"value": "none"}, "epoch_images": {"value": 0}}).listed(99)
    assert listed is not None
    # No methods; a flip of all images; a flip of the added ones, which there are none of without oversampling.
    assert len({key_of(each) for each in listed}) == len(listed) == 3


def test_a_space_without_an_end_or_with_too_many_configs_is_not_listed():
    assert configs_of(LOSSES).listed(4) is None
    assert configs_of({"learning_rate": {"min": 0.1, "max": 0.2}}).listed(99) is None
    assert configs_of({"seed": {"min": 0, "max": 2**32 - 1}}).listed(float("inf")) is None
    dead = configs_of({"train_loss": {"value": "ce"}, "gamma": {"min": 0.1, "max": 0.2}}).listed(99)
    assert dead is not None
    assert len(dead) == 1, "a range of what does nothing"


def test_whole_numbers_steps_and_probabilities_above_0_are_listed():
    listed = configs_of(
        {
            "warmup_epochs": {"min": 0, "max": 2},
            "dropout_prob": {"distribution": "q_uniform", "min": 0.1, "max": 0.5, "q": 0.2},
            "oversample": {"values": ["none", "sqrt", "balanced"], "probabilities": [0.5, 0, 0.5]},
        }
    ).listed(99)
    assert listed is not None
    assert {(each["warmup_epochs"], each["dropout_prob"], each["oversample"]) for each in listed} == {
        (warmup, dropout, oversample)
        for warmup in (0, 1, 2)
        for dropout in (0.2, 0.4)
        for oversample in ("none", "balanced")
    }


def test_units_lead_back_to_a_config_and_leave_out_what_is_dead():
    configs = configs_of({**LOSSES, "weight_decay": {"min": 0.1, "max": 0.2}})
    config = {**TrialConfig(train_loss="focal", gamma=1.0, beta=0.5).to_dict(), "weight_decay": 0.15}
    units = configs.units_of(config)
    assert units is not None
    assert units.keys() == {"train_loss", "gamma", "weight_decay"}, "a beta of 0.5 would not do, but is dead"
    found = configs.at(units)
    assert {name: found[name] for name in live(found)} == pytest.approx({name: config[name] for name in live(config)})
    assert configs.units_of({**config, "gamma": 9.0}) is None


def test_what_cannot_be_trained_is_left_to_its_trial_to_fail_on(tmp_path: Path):
    configs = configs_of({"epoch_images": {"value": 200}, "target_samples_per_class": {"values": [0, 50]}})
    listed = configs.listed(99)
    assert listed is not None
    assert [(each["epoch_images"], each["target_samples_per_class"]) for each in listed] == [(200, 0), (200, 50)]
