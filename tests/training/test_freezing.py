from pathlib import Path

import pytest
import torch

from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, small_config


def state_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.network.state_dict().items()}


def changed(before: dict[str, torch.Tensor], trainer: Trainer) -> set[str]:
    return {name for name, value in trainer.network.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_while_the_backbone_is_frozen_the_classifier_alone_changes(make_pack: PackMaker, optimizer: str):
    config = small_config(image_size=16, freeze_epochs=1, optimizer=optimizer, weight_decay=0.5, warmup_epochs=0)
    trainer = Trainer(config, make_pack())
    start = state_of(trainer)
    trainer.run_epoch()
    assert changed(start, trainer) == {"fc.1.weight", "fc.1.bias"}  # no running statistic either
    assert {id(p) for p in trainer.optimizer.state} == {id(p) for p in trainer.network.fc.parameters()}
    frozen = state_of(trainer)
    trainer.run_epoch()
    assert changed(frozen, trainer) == set(start)


def test_as_many_frozen_epochs_as_epochs_are_a_linear_probe(make_pack: PackMaker):
    trainer = Trainer(small_config(image_size=16, freeze_epochs=2, epochs=2), make_pack())
    start = state_of(trainer)
    for _ in range(2):
        trainer.run_epoch()
    assert trainer.finished
    assert changed(start, trainer) == {"fc.1.weight", "fc.1.bias"}


@pytest.mark.parametrize("epochs_before", [1, 2])
def test_a_run_interrupted_before_or_at_the_thaw_equals_an_unbroken_one(
    make_pack: PackMaker, tmp_path: Path, epochs_before: int
):
    pack, config = make_pack(), small_config(image_size=16, freeze_epochs=2, epochs=3, layer_decay=0.7)
    unbroken = Trainer(config, pack)
    expected = [numbers(unbroken.run_epoch()) for _ in range(3)]
    interrupted = Trainer(config, pack)
    for _ in range(epochs_before):
        interrupted.run_epoch()
    save_checkpoint(tmp_path / "last.pt", interrupted.state_dict())
    resumed = Trainer(config, pack)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.pt"))
    assert [numbers(resumed.run_epoch()) for _ in range(3 - epochs_before)] == expected[epochs_before:]
    assert not changed(state_of(unbroken), resumed)
