"""Networks of timm with our head; timm itself is the reference."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants
from torchvision.transforms.v2.functional import normalize

from skin_tune.config import TrialConfig
from skin_tune.errors import ConfigError, WeightsError
from skin_tune.model.network import build_network, dropout_of, load_weights


def config_of(backbone: str, image_size: int = 64, **changes: Any) -> TrialConfig:
    return TrialConfig(backbone=f"timm/{backbone}", weights="none", image_size=image_size, **changes)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "test_efficientnet", "test_vit"])
def test_the_head_is_dropout_and_a_linear_map_of_timms_own_features(backbone: str):
    network = build_network(config_of(backbone, dropout_prob=0.4), 5).eval()
    assert dropout_of(network).p == 0.4
    images = torch.rand(2, 3, 64, 64)
    own = network.backbone
    features = own(normalize(images, own.pretrained_cfg["mean"], own.pretrained_cfg["std"]))
    as_imagenet = normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(network(as_imagenet), network.fc[1](features), atol=1e-5, rtol=1e-5)
    assert {name.partition(".")[0] for name in network.state_dict()} == {"backbone", "fc"}
    torch.testing.assert_close(copy.deepcopy(network)(as_imagenet), network(as_imagenet))


@pytest.mark.parametrize(("stem", "last", "side"), [(2, 2, 2), (1, 2, 4), (2, 1, 4), (1, 1, 8)])
@pytest.mark.parametrize("backbone", ["test_resnet", "resnet10t"])
def test_smaller_strides_give_timms_resnets_finer_feature_maps(backbone: str, stem: int, last: int, side: int):
    network = build_network(config_of(backbone, stem_stride=stem, last_stride=last), 5).eval()
    assert network.backbone.forward_features(torch.zeros(1, 3, 64, 64)).shape[-1] == side


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (config_of("test_vitt"), r"'timm/test_vitt' is none of timm's networks; did you mean timm/test_vit,"),
        (config_of("test_vit.r99"), r"'timm/test_vit.r99' is none of timm's networks"),
        (config_of("test_vit", 100), r"image_size=100 does not fit timm/test_vit \(its own is 160\).*patch size"),
        (config_of("test_convnext", 16), r"image_size=16 does not fit timm/test_convnext"),
        (config_of("test_convnext", last_stride=1), r"last_stride=1 is for ResNets, timm/test_convnext is none"),
        (config_of("test_vit", stem_stride=1), r"stem_stride=1 is for ResNets, timm/test_vit is none"),
    ],
)
def test_what_timm_cannot_build_is_refused_in_one_line(config: TrialConfig, said: str):
    with pytest.raises(ConfigError, match=said) as caught:
        build_network(config, 5)
    assert "\n" not in str(caught.value)


def test_without_timm_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for build in (lambda: load_weights("none", "timm/test_vit"), lambda: build_network(config_of("test_nfnet"), 5)):
        with pytest.raises(ConfigError, match=r"needs timm, not installed here: pip install 'skin-tune\[timm\]'"):
            build()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_of_a_file_reach_every_layer_but_the_classifier(tmp_path: Path, suffix: str):
    source = timm.create_model("test_vit", num_classes=7).state_dict()
    file = tmp_path / f"vit.{suffix}"
    (torch.save if suffix == "pth" else safetensors.torch.save_file)(source, file)
    loaded = load_weights(str(file), "timm/test_vit")
    network = build_network(config_of("test_vit", 160), 5, loaded)
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, source[name]), name


def test_position_embeddings_are_resampled_to_the_image_size_as_timm_does_it(tmp_path: Path):
    source = timm.create_model("test_vit", num_classes=0)
    safetensors.torch.save_file(source.state_dict(), tmp_path / "vit.safetensors")
    network = build_network(
        config_of("test_vit", 96), 5, load_weights(str(tmp_path / "vit.safetensors"), "timm/test_vit")
    )
    source.set_input_size((96, 96))
    for name, value in source.state_dict().items():
        torch.testing.assert_close(network.backbone.state_dict()[name], value)
    assert "state_dict" not in network.backbone.pretrained_cfg  # which would keep and copy the weights


def test_weights_of_another_size_that_timm_cannot_resample_name_the_size():
    weights = timm.create_model("pit_ti_224", num_classes=0).state_dict()
    with pytest.raises(ConfigError, match=r"image_size=192 is not the size 224 .* use image_size=224"):
        build_network(config_of("pit_ti_224", 192), 5, weights)


def test_weights_of_another_network_and_a_damaged_file_are_refused(tmp_path: Path):
    file = tmp_path / "x.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), file)
    with pytest.raises(WeightsError, match="of another network than timm/test_vit: cls_token does not fit"):
        load_weights(str(file), "timm/test_vit")
    file.write_bytes(b"hello")
    with pytest.raises(WeightsError, match="no safetensors file, or is damaged"):
        load_weights(str(file), "timm/test_vit")


def test_pretrained_weights_come_from_the_cache_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        load_weights("imagenet", "timm/test_vit.r160_in1k")
    message = str(caught.value)
    assert "fetch https://huggingface.co/timm/test_vit.r160_in1k/resolve/main/model.safetensors" in message
    assert "\n" not in message
    source = timm.create_model("test_vit").state_dict()
    cached = tmp_path / "models--timm--test_vit.r160_in1k"
    for folder in (cached / "refs", cached / "snapshots" / "1"):
        folder.mkdir(parents=True)
    (cached / "refs" / "main").write_text("1")
    safetensors.torch.save_file(source, cached / "snapshots" / "1" / "model.safetensors")
    loaded = load_weights("imagenet", "timm/test_vit.r160_in1k")
    assert loaded is not None
    assert set(loaded) == {name for name in source if not name.startswith("head.")}
    assert all(torch.equal(value, source[name]) for name, value in loaded.items())
