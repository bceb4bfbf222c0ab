"""The configs whose curves are measured: a grid over what the shipped spaces search."""

import itertools
from typing import Any

import numpy as np

from skin_tune.config import TrialConfig

EPOCHS = 30

VALUES: dict[str, tuple[Any, ...]] = {
    "learning_rate": tuple(float(f"{rate:.2g}") for rate in np.geomspace(3e-4, 1e-2, 6)),
    "train_loss": ("cb", "ce", "logit_adjustment"),
    "oversample": ("none", "sqrt", "balanced"),
    "augmentation_strength": (0.5, 1.5),
}
"""A logarithmic grid of learning rates around Adam's own at random weights, and the choices of scratch.yaml."""

EVEN_ADJUSTED = ("logit_adjustment", "balanced")
"""Loss and oversampling that are no cell of their own: adjusted by an even prior, cross-entropy is what it was."""

_FIXED = {"backbone": "timm/test_resnet.r160_in1k", "weights": "none", "image_size": 32, "epochs": EPOCHS}
"""A ResNet of 0.4 million weights: a table of ResNet-50 would take a GPU for weeks."""


def configs(seed: int = 0) -> list[TrialConfig]:
    """All 96 in an order by `seed`, so that the first of them are a sample of the grid."""
    cells = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]
    live = [cell for cell in cells if (cell["train_loss"], cell["oversample"]) != EVEN_ADJUSTED]
    order = np.random.default_rng(seed).permutation(len(live))
    return [TrialConfig.from_mapping({**_FIXED, **live[place]}) for place in order]
