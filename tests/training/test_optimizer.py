import pytest
import torch

from skin_tune.model.network import build_network
from skin_tune.training.optimizer import build_optimizer
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import small_config


def test_one_rate_for_all_layers_leaves_two_groups_in_the_order_of_the_parameters():
    network = build_network(small_config(), 3)
    optimizer = build_optimizer(small_config(weight_decay=0.1), network)
    parameters = list(network.parameters())
    decayed, spared = optimizer.param_groups
    for group, expected in (
        (decayed, [p for p in parameters if p.ndim > 1]),
        (spared, [p for p in parameters if p.ndim == 1]),
    ):
        assert [id(p) for p in group["params"]] == [id(p) for p in expected]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0)


def test_each_stage_learns_at_the_next_ones_rate_times_the_decay(make_pack: PackMaker):
    config = small_config(layer_decay=0.5, schedule="constant", warmup_epochs=0, learning_rate=0.064)
    trainer = Trainer(config, make_pack())
    assert trainer.run_epoch()["learning_rate"] == 0.064
    rates = {id(p): group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    network = trainer.network
    expected = {"fc.1": 0.064, "layer4.1.bn1": 0.032, "layer3.0.conv1": 0.016, "layer2.0.bn1": 0.008, "conv1": 0.002}
    for name, rate in expected.items():
        assert rates[id(network.get_submodule(name).weight)] == pytest.approx(rate), name
    assert sum(len(group["params"]) for group in trainer.optimizer.param_groups) == len(list(network.parameters()))


def test_a_step_of_sgd_is_as_much_smaller_as_the_rate():
    config = small_config(optimizer="sgd", layer_decay=0.5, weight_decay=0)
    network = build_network(config, 3)
    optimizer = build_optimizer(config, network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * group["lr_scale"]
    optimizer.step()
    moved = {name: (before[name] - value).flatten()[0].item() for name, value in network.state_dict().items()}
    # Nesterov momentum 0.9 makes the first step 1.9 times the rate.
    assert moved["fc.1.weight"] == pytest.approx(0.19, rel=1e-4)
    assert moved["conv1.weight"] == pytest.approx(0.19 / 2**5, rel=1e-3)
