"""What `config.canonical` calls dead is never read in a training, and what it calls live is."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from skin_tune.config import FIELDS, TrialConfig, live
from skin_tune.config.canonical import RULES
from skin_tune.config.choices import LOSSES
from skin_tune.training.trainer import Trainer
from tests.conftest import write_synthetic_pack

BASE = {
    "backbone": "resnet18",
    "weights": "none",
    "image_size": 16,
    "batch_size": 16,
    "epochs": 2,
    "warmup_epochs": 0,
    "train_loss": "ce",
    "learning_rate": 1e-3,
}
OTHER: dict[str, Any] = {
    "backbone": "resnet34",
    "stem_stride": 1,
    "last_stride": 1,
    "dropout_prob": 0.6,
    "freeze_epochs": 1,
    "image_size": 24,
    "train_loss": "focal",
    "gamma": 0.7,
    "beta": 0.8,
    "smoothing": 0.3,
    "reweight_after": 1,
    "tau": 0.4,
    "sord_width": 1.3,
    "oversample": "sqrt",
    "target_samples_per_class": 30,
    "epoch_images": -1,
    "augmentation_methods": "erasing",
    "augmentation_strength": 2.5,
    "augment": "added",
    "mixup_alpha": 0.5,
    "cutmix_alpha": 0.5,
    "optimizer": "sgd",
    "learning_rate": 3e-3,
    "layer_decay": 0.5,
    "weight_decay": 0.3,
    "schedule": "constant",
    "warmup_epochs": 1,
    "epochs": 3,
    "batch_size": 8,
    "ema_decay": 0.5,
    "seed": 5,
}
NOT_OF_A_CPU_ALONE = {"weights", "amp", "sync_batchnorm"}
"""Live, but seen only with a file of weights, on a GPU, or with several workers."""


Train = Callable[[TrialConfig], tuple[float, ...]]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """A function that returns the loss of each epoch of a config, and sums over the weights at its end."""
    pack = write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow")

    @cache
    def trained(config: TrialConfig) -> tuple[float, ...]:
        trainer = Trainer(config, pack)
        losses = [trainer.run_epoch()["train_loss"] for _ in range(config.epochs)]
        weights = torch.cat([value.double().flatten() for value in trainer.kept_network.state_dict().values()])
        return *losses, weights.sum().item(), weights.abs().sum().item()

    return trained


@pytest.mark.parametrize(
    "changes",
    [
        *({"train_loss": loss} for loss in LOSSES),
        {"train_loss": "cb", "reweight_after": 2},
        {"train_loss": "ldam", "reweight_after": 3},
        {"oversample": "none", "augment": "added"},
        {"oversample": "none", "augment": "added", "epoch_images": -1},
        {"oversample": "none", "epoch_images": 0},
        {"oversample": "balanced", "target_samples_per_class": 30},
        {"augmentation_methods": "none", "oversample": "balanced", "epoch_images": -1},
        {"augmentation_methods": "horizontal_flip"},
        {"freeze_epochs": 2},
    ],
    ids=str,
)
def test_values_of_dead_hyper_parameters_make_no_difference(train: Train, changes: dict[str, Any]):
    config = TrialConfig.from_mapping({**BASE, **changes})
    dead = FIELDS.keys() - live(config.to_dict())
    assert dead
    changed = TrialConfig.from_mapping({**config.to_dict(), **{name: OTHER[name] for name in dead}})
    assert changed != config
    assert train(changed) == train(config)


WHERE_LIVE: dict[str, dict[str, Any]] = {
    "gamma": {"train_loss": "focal"},
    "beta": {"train_loss": "ldam", "oversample": "none"},
    "smoothing": {"train_loss": "label_smoothing"},
    "reweight_after": {"train_loss": "cb"},
    "tau": {"train_loss": "logit_adjustment", "oversample": "none"},
    "sord_width": {"train_loss": "sord"},
}


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - NOT_OF_A_CPU_ALONE))
def test_values_of_live_hyper_parameters_make_a_difference(train: Train, name: str):
    config = TrialConfig.from_mapping({**BASE, **WHERE_LIVE.get(name, {})})
    changed = TrialConfig.from_mapping({**config.to_dict(), name: OTHER[name]})
    assert name in live(config.to_dict())
    assert train(changed) != train(config)


def test_every_hyper_parameter_with_a_rule_has_been_dead_above():
    assert {rule.name for rule in RULES} <= OTHER.keys()
