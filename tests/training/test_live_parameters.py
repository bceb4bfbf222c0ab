"""What `config.canonical` calls dead is never read in a training, and what it calls live is."""

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import pytest
import torch

from skin_tune.config import FIELDS, TrialConfig, live
from skin_tune.config.canonical import RULES
from skin_tune.config.choices import LOSSES
from skin_tune.data.pack.format import Pack
from skin_tune.model.losses import build_loss
from skin_tune.training.trainer import Trainer
from tests.conftest import write_synthetic_pack

BASE = {
    "backbone": "timm/test_resnet",
    "weights": "none",
    "image_size": 16,
    "batch_size": 16,
    "epochs": 1,
    "warmup_epochs": 0,
    "train_loss": "ce",
    "learning_rate": 1e-3,
}
OTHER: dict[str, Any] = {
    "gamma": 0.7,
    "beta": 0.8,
    "smoothing": 0.3,
    "reweight_after": 1,
    "tau": 0.4,
    "sord_width": 1.3,
    "target_samples_per_class": 30,
    "epoch_images": -1,
    "augmentation_methods": "erasing",
    "augmentation_strength": 2.5,
    "augment": "added",
    "layer_decay": 0.5,
}
"""For each hyper-parameter with a rule a value that is not its default."""
OF_LOSSES = sorted({name for choice in LOSSES.values() for name in choice.uses})

Train = Callable[[TrialConfig], tuple[float, ...]]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    counts = {"train": (9, 5, 2), "val": (2, 2, 2), "test": (1, 1, 1)}
    return write_synthetic_pack(tmp_path_factory.mktemp("pack") / "pack.arrow", counts, size=16)


@pytest.fixture(scope="module")
def train(pack: Pack) -> Train:
    """A function that returns the loss of each epoch of a config, and sums over the weights at its end."""

    @cache
    def trained(config: TrialConfig) -> tuple[float, ...]:
        trainer = Trainer(config, pack)
        losses = [trainer.run_epoch()["train_loss"] for _ in range(config.epochs)]
        weights = torch.cat([value.flatten() for value in trainer.kept_network.state_dict().values()])
        return *losses, weights.sum().item(), weights.abs().sum().item()

    return trained


def losses_of(config: TrialConfig) -> list[list[float]]:
    """Losses of some logits, and the prior, in each epoch of a config."""
    loss = build_loss(config, [80, 20, 4], [80, 40, 20])
    logits, labels = torch.tensor([[1.0, -0.5, 0.3], [0.2, 0.1, -1.0], [-2.0, 0.5, 1.5]]), torch.tensor([0, 1, 2])
    found = []
    for epoch in range(1, config.epochs + 1):
        loss.begin_epoch(epoch)
        found += [loss(logits, labels).tolist(), loss.prior([80, 40, 20]).tolist()]
    return found


def test_every_rule_is_tried():
    assert {rule.name for rule in RULES} == OTHER.keys()


@pytest.mark.parametrize("reweight_after", [0, 3])
@pytest.mark.parametrize("name", OF_LOSSES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_depends_on_its_live_hyper_parameters_alone(loss: str, name: str, reweight_after: int):
    config = TrialConfig(train_loss=loss, epochs=3, reweight_after=reweight_after)
    changed = TrialConfig.from_mapping({**config.to_dict(), name: OTHER[name]})
    assert (losses_of(changed) != losses_of(config)) == (name in live(config.to_dict()))


@pytest.mark.parametrize(
    "changes",
    [
        {"oversample": "none", "augment": "added"},
        {"oversample": "none", "augment": "added", "epoch_images": -1},
        {"oversample": "none"},
        {"oversample": "balanced", "target_samples_per_class": 30},
        {"augmentation_methods": "none", "oversample": "balanced", "epoch_images": -1},
        {"augmentation_methods": "horizontal_flip"},
        {"freeze_epochs": 1},
    ],
    ids=str,
)
def test_values_of_dead_hyper_parameters_make_no_difference(train: Train, changes: dict[str, Any]):
    config = TrialConfig.from_mapping({**BASE, **changes})
    dead = FIELDS.keys() - live(config.to_dict())
    assert dead - set(OF_LOSSES)
    changed = TrialConfig.from_mapping({**config.to_dict(), **{name: OTHER[name] for name in dead}})
    assert train(changed) == train(config)


@pytest.mark.parametrize("name", sorted(OTHER.keys() - set(OF_LOSSES)))
def test_values_of_live_hyper_parameters_make_a_difference(train: Train, name: str):
    config = TrialConfig.from_mapping(BASE)
    changed = TrialConfig.from_mapping({**BASE, name: OTHER[name]})
    assert name in live(config.to_dict())
    assert train(changed) != train(config)


class Watched(TrialConfig):
    """A config that notes which hyper-parameters are read."""

    read: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        Watched.read.add(name)
        return super().__getattribute__(name)


def test_a_training_reads_all_that_has_no_rule(pack: Pack):
    config = Watched.from_mapping(BASE)
    Watched.read.clear()
    Trainer(config, pack).run_epoch()
    without_rule = FIELDS.keys() - OTHER.keys() - {"sync_batchnorm"}  # which several workers read
    assert without_rule <= Watched.read
    assert "gamma" not in Watched.read, "cross-entropy has none"
