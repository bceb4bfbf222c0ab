"""Compiled backbones, traced by torch's own compiler; only its code generation, which takes minutes, is left out."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torchvision.models import ResNet

from skin_tune.data.pack.format import Pack
from skin_tune.model.network import backbone_features, backbone_input
from skin_tune.training import compilation
from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, small_config

COUNTS = {"train": (9, 7, 4), "val": (7, 6, 4), "test": (1, 1, 1)}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKIN_TUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
        patch.setattr(compilation, "_BACKEND", "eager")
        yield


@pytest.fixture
def new_process() -> None:
    """As in a process that has compiled nothing."""
    torch._dynamo.reset()
    counters.clear()
    compilation._graphs.clear()


@pytest.fixture
def pack(make_pack: PackMaker) -> Pack:
    return make_pack(COUNTS, size=16)


def config_of(**changes: object) -> Any:
    return small_config(**{"image_size": 16, "batch_size": 8, "epochs": 2, "compile": "on", **changes})


def run(pack: Pack, epochs: int = 1, **changes: Any) -> list[dict[str, float]]:
    trainer = Trainer(config_of(**changes), pack)
    return [numbers(trainer.run_epoch()) for _ in range(epochs)]


def graphs() -> int:
    return counters["stats"]["unique_graphs"]


TRIALS: list[dict[str, Any]] = [
    {"learning_rate": 1e-4, "train_loss": "ce", "oversample": "none"},
    {"learning_rate": 1e-2, "weight_decay": 0.1, "dropout_prob": 0.0, "optimizer": "sgd"},
    {"dropout_prob": 0.5, "train_loss": "focal", "gamma": 1.0, "batch_size": 4},
    {"train_loss": "logit_adjustment", "seed": 1, "oversample": "sqrt", "epoch_images": 21},
    {"train_loss": "ldam", "mixup_alpha": 0.2, "epoch_images": -1},
    {"ema_decay": 0.9, "seed": 2, "sync_batchnorm": False},
    {"freeze_epochs": 1, "layer_decay": 0.7},
    {"train_loss": "sord", "weight_decay": 0.0, "target_samples_per_class": 8, "batch_size": 4},
    {"dropout_prob": 0.1, "augment": "added", "augmentation_methods": "rotation blur"},
    {"train_loss": "label_smoothing", "cutmix_alpha": 1.0, "augmentation_methods": "none"},
]


def test_trials_share_two_graphs_a_batch_size_and_train_alike_whatever_ran_before(pack: Pack, new_process: None):
    first = run(pack, epochs=2)
    assert graphs() == 2, "one to train, one to validate"
    for changes in TRIALS:
        run(pack, **changes)
    assert graphs() == 4, "and two more for the other batch size"
    assert run(pack, epochs=2) == first
    assert graphs() == 4
    assert not [graph for graph in compilation._graphs.values() if isinstance(graph, str)]


def test_a_resumed_training_equals_an_unbroken_one(pack: Pack, tmp_path: Path):
    unbroken = Trainer(config_of(dropout_prob=0.5), pack)
    unbroken.run_epoch()
    save_checkpoint(tmp_path / "last.pt", unbroken.state_dict())
    expected = numbers(unbroken.run_epoch())
    resumed = Trainer(config_of(dropout_prob=0.5), pack)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.pt"))
    assert numbers(resumed.run_epoch()) == expected


@pytest.mark.parametrize("began", [True, False])
def test_a_resumed_training_stays_in_the_mode_it_began_in(pack: Pack, monkeypatch: pytest.MonkeyPatch, began: bool):
    monkeypatch.setattr(Trainer, "on_gpu", True)
    state = Trainer(config_of(compile="auto"), pack, compiling_pays=began).state_dict()
    resumed = Trainer(config_of(compile="auto"), pack, compiling_pays=not began)
    resumed.load_state_dict(state)
    assert (resumed.compiler is not None) == began


def test_a_backbone_and_its_head_are_the_whole_network(pack: Pack):
    network = Trainer(config_of(compile="off"), pack).network.eval()
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    logits = network.get_submodule("fc")(backbone_features(network, backbone_input(network, images)))
    assert torch.equal(logits, network(images))


def test_validation_in_padded_batches_says_of_each_image_what_the_network_says(pack: Pack):
    trainer = Trainer(config_of(), pack)  # 17 images in batches of 16
    trainer.run_epoch()
    compiler, trainer.compiler = trainer.compiler, None
    plain = trainer.evaluate("val")
    trainer.compiler = compiler
    padded = trainer.evaluate("val")
    np.testing.assert_allclose(padded.probabilities, plain.probabilities, atol=1e-5)
    assert padded.loss == pytest.approx(plain.loss, abs=1e-5)
    assert all(parameter.requires_grad for parameter in trainer.network.parameters())


def test_no_network_of_a_trial_that_is_over_stays_in_memory(pack: Pack, new_process: None):
    gc.collect()
    before = networks()
    run(pack)
    gc.collect()
    assert networks() == before


def networks() -> int:
    return sum(type(each) is ResNet for each in gc.get_objects())


class _Failing:
    def __init__(self, error: Exception):
        self._error = error

    def __call__(self, *arguments: object, **options: object) -> Any:
        raise self._error


def test_where_nothing_can_be_compiled_training_goes_on_and_says_why(
    pack: Pack, new_process: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "compile", _Failing(RuntimeError("no C++ compiler")))
    trainer = Trainer(config_of(), pack)
    assert trainer.hardware.endswith(", compiled")
    trainer.run_epoch()
    assert trainer.not_compiled == "no C++ compiler"
    assert not trainer.hardware.endswith("compiled")
    compilation._graphs.clear()


def test_memory_that_runs_out_is_not_taken_for_a_failure_to_compile(
    pack: Pack, new_process: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "compile", _Failing(torch.OutOfMemoryError("too large")))
    with pytest.raises(torch.OutOfMemoryError):
        Trainer(config_of(), pack).run_epoch()


def test_a_backbone_that_draws_random_numbers_is_not_compiled(
    pack: Pack, new_process: None, monkeypatch: pytest.MonkeyPatch
):
    def noisy(network: nn.Module, images: Tensor) -> Tensor:
        return backbone_features(network, images + torch.rand_like(images))

    monkeypatch.setattr(compilation, "backbone_features", noisy)
    trainer = Trainer(config_of(), pack)
    trainer.run_epoch()
    assert trainer.not_compiled == "resnet18 draws random numbers as it trains"
    compilation._graphs.clear()
