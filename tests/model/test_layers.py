import pytest

from skin_tune.config import TrialConfig
from skin_tune.model.layers import distances_from_head, never_decayed
from skin_tune.model.network import build_network


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [
        ("resnet18", {"fc.1": 0, "layer4.1.bn2": 1, "layer4.0.conv1": 1, "layer1.0.conv1": 4, "bn1": 5, "conv1": 5}),
        ("timm/test_resnet", {"fc.1": 0, "backbone.layer4.0.bn1": 1, "backbone.layer1.0.bn1": 4, "backbone.bn1": 5}),
        # timm counts a final norm to the head, and gives each block of a transformer a stage; test_vit has six.
        ("timm/test_convnext", {"fc.1": 0, "backbone.head.norm": 0, "backbone.stages.3.downsample.0": 1}),
        (
            "timm/test_vit",
            {"fc.1": 0, "backbone.norm": 1, "backbone.blocks.0.norm1": 6, "backbone.patch_embed.proj": 7},
        ),
        ("timm/csatv2", {"fc.1": 0, "backbone.stages.0.0.dwconv": 2, "backbone.stem_dct.conv_y": 3}),
    ],
)
def test_stages_are_counted_from_the_classifier(backbone: str, expected: dict[str, int]):
    network = build_network(TrialConfig(backbone=backbone, weights="none", image_size=64), 5)
    distances = distances_from_head(network)
    assert {name: distances[f"{name}.weight"] for name in expected} == expected
    assert set(distances) == {name for name, _ in network.named_parameters()}


def test_position_embeddings_are_never_decayed():
    vit, resnet = (
        build_network(TrialConfig(backbone=name, weights="none", image_size=64), 5)
        for name in ("timm/test_vit", "resnet18")
    )
    assert {"backbone.pos_embed", "backbone.cls_token"} <= never_decayed(vit)
    assert not never_decayed(resnet)
