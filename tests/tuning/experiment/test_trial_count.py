from typing import Any

import pytest

from skin_tune.config import TrialConfig
from skin_tune.tuning.experiment.trial_count import possible_trials
from skin_tune.tuning.space.configs import Configs
from skin_tune.tuning.space.sweep_file import space_of

LISTS = {
    "train_loss": {"values": ["cb", "focal", "ce"]},
    "gamma": {"values": [0.5, 1.0]},
    "oversample": {"values": ["none", "sqrt"]},
}
LOGITS = {"train_loss": {"value": "logit_adjustment"}}
ENDLESS = {**LISTS, "learning_rate": {"min": 0.1, "max": 0.2}}


def configs_of(parameters: dict[str, Any], method: str) -> Configs:
    return Configs(space_of({"method": method, "parameters": parameters}, {}))


@pytest.mark.parametrize(
    ("parameters", "method", "wanted", "trials", "said"),
    [
        (ENDLESS, "bayes", 99, 99, ""),
        (LISTS, "bayes", 9, 9, ""),
        (
            *(LISTS, "bayes", 99, 10),
            "10 trials, not 99: the space has 10 different configs; "
            "2 of its 12 combinations would train like another and are left out",
        ),
        (
            {"tau": {"values": [0.5, 1.0]}, **LOGITS},
            "random",
            3,
            2,
            "2 trials, not 3: the space has 2 different configs",
        ),
        ({"tau": {"values": [0.5, 1.0]}, **LOGITS}, "grid", 2, 2, ""),
        (
            *(LISTS, "grid", 7, 7),
            "7 trials: the space has 10 different configs; "
            "2 of its 12 combinations would train like another and are left out",
        ),
    ],
)
def test_there_are_no_more_trials_than_configs(
    parameters: dict[str, Any], method: str, wanted: int, trials: int, said: str
):
    assert possible_trials(configs_of(parameters, method), wanted) == (trials, said)


@pytest.mark.parametrize("method", ["bayes", "random", "grid"])
def test_of_an_experiment_that_goes_on_those_that_are_new_count(method: str):
    configs = configs_of({"train_loss": {"values": ["focal", "ce"]}, "gamma": {"values": [0.5, 1.0]}}, method)
    ce = TrialConfig(train_loss="ce").to_dict()
    tried = [{**ce, "gamma": 0.5}, {**ce, "gamma": 1.0}]  # by a version that took them for different ones
    trials, said = possible_trials(configs, 4, 2, tried)
    assert trials == 4
    trials, said = possible_trials(configs, 9, 2, tried)
    assert trials == 4
    assert said.startswith("4 trials, not 9: the space has 3 different configs, of which 2 have not been run")
    everything = [*tried, *({**ce, "train_loss": "focal", "gamma": gamma} for gamma in (0.5, 1.0))]
    trials, said = possible_trials(configs, 9, 4, everything)
    assert trials == 4
    assert "of which none have not been run" in said
