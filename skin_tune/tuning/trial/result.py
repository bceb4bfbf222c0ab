"""What a trial reports to its driver."""

from collections.abc import Mapping
from typing import Any

_EPOCH_ONLY = ("epoch", "learning_rate", "images", "epoch_seconds", "images_per_second")


def epoch_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The Trainer's metrics among what a trial reports."""
    return {name: value for name, value in result.items() if name in _EPOCH_ONLY or name.startswith(("train_", "val_"))}
