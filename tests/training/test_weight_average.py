"""The moving average of the weights, step by step and as what a training keeps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skin_tune.inference.model_file import load_model
from skin_tune.training.checkpoint import save_checkpoint
from skin_tune.training.trainer import Trainer
from skin_tune.training.weight_average import WeightAverage
from tests.conftest import PackMaker
from tests.training.test_trainer import tiny_config


def test_the_average_after_each_step_is_that_of_the_warm_up_rule_then_of_the_decay():
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, decay=0.25)
    expected = {"weight": 1.0, "running_mean": 0.0}
    for step, decay in enumerate((1 / 10, 2 / 11, 3 / 12, 0.25, 0.25)):  # min(0.25, (1 + step) / (10 + step))
        with torch.no_grad():
            network.weight.fill_(step + 2.0)
        network(torch.full((4, 1), 3.0))  # moves running_mean
        assert network.running_mean is not None
        for name, value in (("weight", step + 2.0), ("running_mean", network.running_mean.item())):
            expected[name] = decay * expected[name] + (1 - decay) * value
        average.update()
        for name, value in expected.items():
            assert average.network.state_dict()[name].item() == pytest.approx(value, rel=1e-6)
        assert average.network.state_dict()["num_batches_tracked"].item() == step + 1
    assert average.steps == 5


def test_it_is_a_network_of_its_own_without_gradients():
    network = nn.Linear(2, 2)
    average = WeightAverage(network, decay=0.9)
    with torch.no_grad():
        network.weight.zero_()
    assert average.network.weight.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert not average.network.training


def test_it_follows_weights_that_are_loaded():
    network = nn.Linear(2, 2)
    average = WeightAverage(network, decay=0.0)
    network.load_state_dict({"weight": torch.full((2, 2), 7.0), "bias": torch.full((2,), 7.0)})
    average.update()
    assert average.network.weight.flatten().tolist() == [7.0] * 4


def test_the_average_is_what_is_validated_kept_and_loaded(make_pack: PackMaker, tmp_path: Path):
    pack = make_pack()
    plain, averaged = (Trainer(tiny_config(ema_decay=decay), pack) for decay in (0.0, 0.9))
    first, second = plain.run_epoch(), averaged.run_epoch()
    assert first["train_loss"] == second["train_loss"]  # training itself is the same
    assert all(map(torch.equal, plain.network.state_dict().values(), averaged.network.state_dict().values()))
    assert first["val_loss"] != second["val_loss"]

    assert averaged.average is not None
    save_checkpoint(tmp_path / "best.pt", averaged.model_state())
    loaded = load_model(tmp_path / "best.pt").network.state_dict()
    for name, value in averaged.average.network.state_dict().items():
        assert torch.equal(loaded[name], value), name
    plain.network.load_state_dict(loaded)
    found, expected = plain.evaluate("val").probabilities, averaged.evaluate("val").probabilities
    np.testing.assert_array_equal(found, expected)


def test_without_an_average_a_checkpoint_has_no_entry_of_it(make_pack: PackMaker):
    pack = make_pack()
    plain, averaged = (Trainer(tiny_config(ema_decay=decay), pack).state_dict() for decay in (0.0, 0.9))
    assert set(averaged) - set(plain) == {"raw_model", "ema_steps"}
    assert set(plain) <= set(averaged)
