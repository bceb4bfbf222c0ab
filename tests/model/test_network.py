from pathlib import Path

import pytest
import torch
import torchvision

from skin_tune.config import TrialConfig
from skin_tune.errors import WeightsError
from skin_tune.model.network import build_network, load_weights


def feature_side(config: TrialConfig) -> int:
    network = build_network(config, 5).eval()
    sides = []
    network.layer4.register_forward_hook(lambda module, args, output: sides.append(output.shape[-1]))
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 5)
    return sides[0]


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
@pytest.mark.parametrize(("stem", "last", "side"), [(2, 2, 2), (1, 2, 4), (2, 1, 4), (1, 1, 8)])
def test_smaller_strides_give_finer_feature_maps(backbone: str, stem: int, last: int, side: int):
    assert feature_side(TrialConfig(backbone=backbone, stem_stride=stem, last_stride=last)) == side


def test_dropout_stands_before_the_classifier():
    network = build_network(TrialConfig(backbone="resnet18", dropout_prob=0.4), 7)
    assert isinstance(network.fc, torch.nn.Sequential)
    dropout, linear = network.fc
    assert dropout.p == 0.4
    assert linear.out_features == 7


def test_weights_of_a_file_reach_every_layer_but_the_classifier(tmp_path: Path):
    torch.manual_seed(1)
    source = torchvision.models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "r18.pth")
    loaded = load_weights(str(tmp_path / "r18.pth"), "resnet18")
    torch.manual_seed(2)
    network = build_network(TrialConfig(backbone="resnet18", stem_stride=1), 7, loaded)
    for name, value in source.state_dict().items():
        if not name.startswith("fc."):
            torch.testing.assert_close(network.state_dict()[name], value)


def test_none_means_random_weights():
    assert load_weights("none", "resnet18") is None


def test_weights_of_another_network_are_refused(tmp_path: Path):
    torch.save(torchvision.models.resnet34(weights=None).state_dict(), tmp_path / "r34.pth")
    with pytest.raises(WeightsError, match="another network than resnet50"):
        load_weights(str(tmp_path / "r34.pth"), "resnet50")


def test_a_missing_file_and_a_file_of_something_else_are_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="neither 'imagenet' nor 'none' nor a file"):
        load_weights(str(tmp_path / "absent.pth"), "resnet18")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(WeightsError, match="not a plain PyTorch state dict"):
        load_weights(str(tmp_path / "text.pth"), "resnet18")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="hold a list"):
        load_weights(str(tmp_path / "list.pth"), "resnet18")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"conv1.weight": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="state dict"):
        load_weights(str(tmp_path / "evil.pth"), "resnet18")
    assert not (tmp_path / "ran").exists()


def test_imagenet_weights_that_cannot_be_downloaded_say_how_to_supply_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a closed port: no download leaves the machine
    with pytest.raises(WeightsError) as caught:
        load_weights("imagenet", "resnet50")
    message = str(caught.value)
    assert "weights=/path/to/resnet50-" in message
    assert str(tmp_path) in message
    assert "weights=none" in message
    assert "\n" not in message


def test_imagenet_weights_are_taken_from_the_download_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    name = torchvision.models.get_model_weights("resnet18").DEFAULT.url.rpartition("/")[2]
    (tmp_path / "checkpoints").mkdir()
    state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "checkpoints" / name)
    loaded = load_weights("imagenet", "resnet18")
    assert loaded is not None
    torch.testing.assert_close(loaded["conv1.weight"], state["conv1.weight"])
