"""Allowed values of categorical hyper-parameters: one entry each, from which all else follows.

An entry names the function that builds it, so that a config can be checked without loading torch. To add a loss or an
optimiser, write its function in `model/losses.py` or `training/optimizer.py`, and its entry here: `train_loss=NAME`,
search spaces and the tables of the documentation know it then.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A value of a hyper-parameter that something is built from."""

    builder: str
    """``module:function`` below `skin_tune`."""
    summary: str
    """One line for tables."""
    uses: tuple[str, ...] = ()
    """Hyper-parameters that only such choices read; with another choice they do nothing."""

    def load(self) -> Callable[..., Any]:
        """The function that builds it."""
        module, _, function = self.builder.partition(":")
        builder: Callable[..., Any] = getattr(import_module(f"skin_tune.{module}"), function)
        return builder


LOSSES: Mapping[str, Choice] = {
    "ce": Choice("model.losses:cross_entropy", "cross-entropy"),
    "label_smoothing": Choice(
        "model.losses:label_smoothing", "cross-entropy against smoothed labels", uses=("smoothing",)
    ),
    "focal": Choice("model.losses:focal", "focal loss", uses=("gamma",)),
    "cb": Choice("model.losses:class_balanced", "class-balanced focal loss", uses=("gamma", "reweight_after", "beta")),
    "logit_adjustment": Choice(
        "model.long_tail_losses:logit_adjustment", "cross-entropy without the prior of the images drawn", uses=("tau",)
    ),
    "ldam": Choice("model.long_tail_losses:ldam", "larger margins for rarer classes", uses=("reweight_after", "beta")),
    "sord": Choice(
        "model.ordinal_losses:sord", "cross-entropy against grades softened by distance", uses=("sord_width",)
    ),
}
"""Functions of a TrialConfig, the original training counts [K] and an epoch's draws [K]; each returns a GradeLoss."""

OPTIMIZERS: Mapping[str, Choice] = {
    "adamw": Choice("training.optimizer:adamw", "Adam with decoupled weight decay"),
    "adam": Choice("training.optimizer:adam", "Adam"),
    "sgd": Choice("training.optimizer:sgd", "stochastic gradient descent with Nesterov momentum 0.9"),
}
"""Functions of parameter groups and a TrialConfig; each returns a torch optimiser."""

TIMM = "timm/"
"""Prefix of a backbone that the library timm builds: `timm/` and the name it has there."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "backbone": ("resnet18", "resnet34", "resnet50", "resnet101"),
    "train_loss": tuple(LOSSES),
    "oversample": ("none", "sqrt", "balanced"),
    "augment": ("added", "all"),
    "optimizer": tuple(OPTIMIZERS),
    "schedule": ("cosine", "constant"),
    "compile": ("auto", "on", "off"),
}

AUGMENTATION_METHODS = (
    "horizontal_flip",
    "rotation",
    "color_jitter",
    "random_resized_crop",
    "translation",
    "hue",
    "blur",
    "erasing",
)


def is_timm(backbone: str) -> bool:
    """Whether a network is one of timm's. Whether timm knows it shows once timm is loaded, which takes seconds."""
    return re.fullmatch(r"timm/[A-Za-z0-9_.-]+", backbone) is not None
