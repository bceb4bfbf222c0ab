"""A network of timm goes every way that a ResNet goes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from skin_tune.inference.evaluate import evaluate_model
from skin_tune.inference.export import TOLERANCE, export_model, sample_images
from skin_tune.inference.model_file import load_model
from skin_tune.training.checkpoint import load_checkpoint, save_checkpoint
from skin_tune.training.trainer import Trainer
from tests.conftest import PackMaker
from tests.training.test_trainer import numbers, small_config


@pytest.mark.parametrize(
    ("backbone", "forms"), [("timm/test_vit", ("pt2", "onnx")), ("timm/test_efficientnet", ("pt2",))]
)
def test_it_is_trained_resumed_to_the_bit_loaded_and_exported(
    make_pack: PackMaker, tmp_path: Path, backbone: str, forms: tuple[str, ...]
):
    pack = make_pack()
    config = small_config(backbone=backbone, epochs=2, augment="all", layer_decay=0.8, optimizer="adamw")
    unbroken = Trainer(config, pack)
    unbroken.run_epoch()
    save_checkpoint(tmp_path / "last.pt", unbroken.state_dict())
    expected = numbers(unbroken.run_epoch())
    resumed = Trainer(config, pack)
    resumed.load_state_dict(load_checkpoint(tmp_path / "last.pt"))
    assert numbers(resumed.run_epoch()) == expected
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name

    save_checkpoint(tmp_path / "best.pt", resumed.model_state())
    model = load_model(tmp_path / "best.pt")
    theirs = evaluate_model(model, pack, "val").probabilities
    np.testing.assert_allclose(theirs, resumed.evaluate("val").probabilities, atol=1e-5)
    for form in forms:
        assert export_model(model, form, tmp_path / f"model.{form}", sample_images(model, pack)) <= TOLERANCE
