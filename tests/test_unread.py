"""What was named and does nothing is told."""

from typing import Any

import pytest

from skin_tune.config import TrialConfig, unread


def options_of(**given: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    return {name: (value,) for name, value in TrialConfig().to_dict().items()} | given


@pytest.mark.parametrize(
    ("named", "given", "lines"),
    [
        (["learning_rate", "train_loss"], {}, []),
        (["gamma"], {"train_loss": ("ce",)}, ["gamma does nothing with train_loss=ce"]),
        (["gamma", "beta"], {"train_loss": ("ce",)}, ["gamma and beta do nothing with train_loss=ce"]),
        (["gamma"], {"train_loss": ("ce", "sord")}, ["gamma does nothing with train_loss=ce|sord"]),
        (["gamma"], {"train_loss": ("ce", "focal")}, []),
        (
            ["tau", "target_samples_per_class"],
            {"oversample": ("none",)},
            ["tau does nothing with train_loss=ce", "target_samples_per_class does nothing with oversample=none"],
        ),
        (
            ["beta"],
            {"train_loss": ("cb",), "reweight_after": (5,), "epochs": (5,)},
            ["beta does nothing with reweight_after=5, epochs=5"],
        ),
        (
            ["layer_decay"],
            {"freeze_epochs": (30,), "epochs": (5, 30)},
            ["layer_decay does nothing with freeze_epochs=30, epochs=5 to 30"],
        ),
        (["layer_decay"], {"freeze_epochs": (10, 30), "epochs": (5, 30)}, []),
        (
            ["augmentation_strength"],
            {"augmentation_methods": ("none",)},
            ["augmentation_strength does nothing with augmentation_methods=none"],
        ),
    ],
)
def test_a_hyper_parameter_that_no_config_reads_is_told(
    named: list[str], given: dict[str, tuple[Any, ...]], lines: list[str]
):
    assert unread(named, options_of(**given)) == lines
