"""What wandb's own agent makes of a sweep's values is read as those values."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from skin_tune.config import FIELDS, TrialConfig, parse_overrides
from skin_tune.errors import ConfigError

VALUES = yaml.safe_load("""
backbone: [resnet18, 'resnet101', timm/convnext_tiny.fb_in22k]
weights: [null, ~, none, 'None', imagenet, /data/resnet50-11ad3fa6.pth, '/my data/a=b, [1].pth', 'true', '7']
stem_stride: [1, 2, 2.0, '1', 2e0]
last_stride: [1, 2.0]
dropout_prob: [0, 0.0, 0.30000000000000004, 3e-1, .5, '0.25']
image_size: [224, 64.0, 1.28e+2]
train_loss: [ce, label_smoothing, focal, cb, logit_adjustment, ldam, sord]
reweight_after: [0, 20, 2e1]
tau: [0, 1, 1.5]
sord_width: [0.5, 1, 1e-1]
freeze_epochs: [0, 3, 3.0]
layer_decay: [1, 0.75, 7.5e-1]
mixup_alpha: [0, 0.2, 1]
cutmix_alpha: [0, 1.0]
ema_decay: [0, 0.999]
gamma: [0, 2, 0.5, 1.0e+1, 1e1]
beta: [0, 0.9999, 9e-1]
smoothing: [0.1, 0]
oversample: [none, null, balanced, sqrt]
target_samples_per_class: [0, 500, 5e2, 9007199254740993]
epoch_images: [0, -1, 500, 1e3]
augmentation_methods:
  [null, none, 'None', [], rotation, [rotation], [rotation, color_jitter], ['color_jitter', 'rotation'],
   'horizontal_flip rotation', 'rotation,color_jitter', [horizontal_flip, rotation, color_jitter], [hue, erasing],
   'random_resized_crop blur translation']
augmentation_strength: [0, 1, 0.5, 1.0e-1, 2]
augment: [added, all]
optimizer: [adamw, adam, 'sgd']
learning_rate: [0.00001, 1e-5, 1.0e-5, 1.e-05, 1, 3.1622776601683795e-05]
weight_decay: [0, 1e-4, 0.01]
schedule: [cosine, constant]
warmup_epochs: [0, 1, 2.0]
epochs: [30, 30.0, 3e1, '30', +30]
batch_size: [64, 128.0]
sync_batchnorm: [true, false, yes, off, 'no']
amp: [true, false, True, FALSE, 'true', 'False', 1, 0, on]
compile: [auto, on, off, 'on', 'off', true, false]
seed: [0, 4294967295, 7.0]
""")
"""Legal values of each hyper-parameter, as wandb reads them from YAML."""

REFUSED = yaml.safe_load("""
epochs: [null, true, [3], 2.5, ten, .inf, .nan, '', '1_0']
learning_rate: [null, false, [0.1], fast, -1, .nan, '1_0']
amp: [null, 2, maybe, [true]]
backbone: [null, true, 18, [resnet18], '']
oversample: [false, 1, [none]]
weights: ['']
augmentation_methods: [true, 1, [sharpen], [null], [none], 'None rotation']
""")


def each(values: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(name, value, id=f"{name}={value!r}") for name in values for value in values[name]]


def agent_words(values: dict[str, Any]) -> list[str]:
    """The words of `${args_no_hyphens}`, from values that have been to wandb's server and back."""
    args = {name: {"value": value} for name, value in json.loads(json.dumps(values)).items()}
    return create_sweep_command_args({"args": args})["args_no_hyphens"]


def test_every_hyper_parameter_is_tried():
    assert VALUES.keys() == FIELDS.keys()


@pytest.mark.parametrize(("name", "value"), each(VALUES))
def test_the_agents_words_are_read_as_the_value_in_the_sweep(name: str, value: Any):
    expected = TrialConfig.from_mapping({name: value})
    words = agent_words({name: value})
    assert TrialConfig.from_mapping(parse_overrides(words)) == expected
    assert TrialConfig.from_mapping(expected.to_dict()) == expected


@pytest.mark.parametrize(("name", "value"), each(REFUSED))
def test_what_the_sweep_may_not_hold_is_refused_from_the_agent_too(name: str, value: Any):
    with pytest.raises(ConfigError, match=name):
        TrialConfig.from_mapping({name: value})
    with pytest.raises(ConfigError, match=name):
        parse_overrides(agent_words({name: value}))


def test_null_weights_start_at_random():
    assert agent_words({"weights": None}) == ["weights=None"]
    assert parse_overrides(["weights=None"]) == {"weights": "none"}


@given(rate=st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False), seed=st.integers(0, 2**32 - 1))
def test_drawn_numbers_keep_every_digit(rate: float, seed: int):
    assert parse_overrides(agent_words({"learning_rate": rate, "seed": seed})) == {"learning_rate": rate, "seed": seed}


def test_a_whole_config_survives_the_agent():
    for config in (TrialConfig(), TrialConfig(weights="none", augmentation_methods=(), amp=False, learning_rate=1e-5)):
        assert TrialConfig.from_mapping(parse_overrides(agent_words(config.to_dict()))) == config
