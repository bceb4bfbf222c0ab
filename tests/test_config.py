import json
import math

import pytest

from skin_tune.config import FIELDS, TrialConfig, parse_overrides
from skin_tune.errors import ConfigError


def test_config_holds_every_hyper_parameter_of_the_contract():
    contract = (
        "backbone weights stem_stride last_stride dropout_prob image_size train_loss gamma beta smoothing oversample "
        "target_samples_per_class epoch_images augmentation_methods optimizer learning_rate weight_decay schedule "
        "warmup_epochs epochs batch_size amp seed"
    )
    assert set(contract.split()) <= set(FIELDS)


def test_dict_survives_json_and_gives_the_same_config():
    config = TrialConfig(augmentation_methods=("rotation",), learning_rate=3e-4, amp=False)
    assert TrialConfig.from_mapping(json.loads(json.dumps(config.to_dict()))) == config
    assert TrialConfig.from_mapping(TrialConfig(augmentation_methods=()).to_dict()).augmentation_methods == ()


def test_overrides_are_typed_by_their_field():
    words = ["epochs=20", "learning_rate=1e-3", "amp=false", "backbone=resnet18", "gamma=2", "weights=none"]
    assert parse_overrides(words) == {
        "epochs": 20,
        "learning_rate": 1e-3,
        "amp": False,
        "backbone": "resnet18",
        "gamma": 2.0,
        "weights": "none",
    }


@pytest.mark.parametrize(
    "text",
    ["rotation,horizontal_flip", "rotation horizontal_flip", "['rotation', 'horizontal_flip']"],
)
def test_methods_are_read_with_commas_blanks_or_as_wandbs_agent_writes_lists(text: str):
    assert parse_overrides([f"augmentation_methods={text}"]) == {
        "augmentation_methods": ("horizontal_flip", "rotation")
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("zzz=1", "known are backbone"),
        ("epochs", "not of the form name=value"),
        ("epochs=ten", "epochs='ten' is not a whole number"),
        ("epochs=2.5", "not a whole number"),
        ("epochs=0", "epochs=0 is outside [1, inf)"),
        ("learning_rate=0", "outside (0, inf)"),
        ("learning_rate=nan", "not a number"),
        ("dropout_prob=1", "outside [0, 1)"),
        ("beta=1", "outside [0, 1)"),
        ("stem_stride=3", "outside [1, 2]"),
        ("backbone=vgg", "not one of resnet18"),
        ("backbone=timm/", "resnet101, or timm/<name>"),
        ("backbone=timm/hf-hub:someone/network", "resnet101, or timm/<name>"),
        ("freeze_epochs=-1", "outside [0, inf)"),
        ("freeze_epochs=0.5", "not a whole number"),
        ("layer_decay=0", "outside (0, 1]"),
        ("layer_decay=1.1", "outside (0, 1]"),
        ("amp=maybe", "not true or false"),
        ("compile=yes", "compile='yes' is not one of auto, on, off"),
        ("augmentation_methods=sharpen", "'sharpen' is not one of horizontal_flip"),
        ("augmentation_strength=-1", "outside [0, inf)"),
        ("batch_size=1", "outside [2, inf)"),
    ],
)
def test_a_bad_override_is_refused_with_its_value_and_the_rule(word: str, said: str):
    with pytest.raises(ConfigError) as caught:
        parse_overrides([word])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_length_of_an_epoch_is_set_once():
    with pytest.raises(ConfigError, match="epoch_images=100 and target_samples_per_class=50 both set the length"):
        TrialConfig(epoch_images=100, target_samples_per_class=50)


def test_what_a_version_stored_before_epochs_had_a_length_is_read_as_what_it_did():
    assert TrialConfig.from_stored({"oversample": "balanced"}).epoch_images == -1
    assert TrialConfig.from_stored({"epoch_images": 0}).epoch_images == 0


@pytest.mark.parametrize(("value", "read"), [(True, "on"), ("False", "off"), ("on", "on"), ("auto", "auto")])
def test_compile_is_read_as_yaml_and_wandbs_agent_write_on_and_off(value: object, read: str):
    assert TrialConfig.from_mapping({"compile": value}).compile == read


def test_what_a_version_that_did_not_compile_stored_is_not_compiled():
    assert TrialConfig.from_stored({"epochs": 2}).compile == "off"


def test_a_hyper_parameter_given_twice_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        parse_overrides(["epochs=2", "epochs=3"])


@pytest.mark.parametrize("value", [True, None, [1], {}, 10**400, math.inf])
def test_values_of_a_wrong_type_are_config_errors(value: object):
    with pytest.raises(ConfigError):
        TrialConfig(learning_rate=value)  # type: ignore[arg-type]
