"""Every hyper-parameter of one trial, checked in one place."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from skin_tune.config.choices import AUGMENTATION_METHODS, CHOICES, TIMM, is_timm
from skin_tune.errors import ConfigError
from skin_tune.text.numbers import number_from, whole_number_from

# name: (lowest, highest, lowest itself allowed, highest itself allowed)
_RANGES: dict[str, tuple[float, float, bool, bool]] = {
    "stem_stride": (1, 2, True, True),
    "last_stride": (1, 2, True, True),
    "dropout_prob": (0, 1, True, False),
    "freeze_epochs": (0, math.inf, True, False),
    "image_size": (16, 2048, True, True),
    "gamma": (0, math.inf, True, False),
    "beta": (0, 1, True, False),
    "smoothing": (0, 1, True, False),
    "reweight_after": (0, math.inf, True, False),
    "tau": (0, math.inf, True, False),
    "sord_width": (0, math.inf, False, False),
    "target_samples_per_class": (0, math.inf, True, False),
    "augmentation_strength": (0, math.inf, True, False),
    "epoch_images": (-1, math.inf, True, False),
    "mixup_alpha": (0, math.inf, True, False),
    "cutmix_alpha": (0, math.inf, True, False),
    "learning_rate": (0, math.inf, False, False),
    "layer_decay": (0, 1, False, True),
    "weight_decay": (0, math.inf, True, False),
    "warmup_epochs": (0, math.inf, True, False),
    "epochs": (1, math.inf, True, False),
    "batch_size": (2, math.inf, True, False),
    "ema_decay": (0, 1, True, False),
    "seed": (0, 2**32, True, False),
}


@dataclass(frozen=True)
class TrialConfig:
    """One trial's hyper-parameters. Construction checks types, ranges and choices; raises ConfigError."""

    backbone: str = "resnet50"
    """Network: torchvision's resnet18, resnet34, resnet50 or resnet101, or `timm/<name>`, any of timm's."""
    weights: str = "imagenet"
    """Start from `imagenet` (timm's own pretrained weights of a timm name), a state-dict file (its path) or `none`."""
    stem_stride: int = 2
    """Stride of the first convolution, 1 or 2; 1 keeps twice the resolution, for fine wrinkles. ResNets only."""
    last_stride: int = 2
    """Stride of the last stage, 1 or 2; 1 gives a finer final feature map. ResNets only."""
    dropout_prob: float = 0.3
    """Dropout before the classifier, in [0, 1)."""
    freeze_epochs: int = 0
    """Epochs at the start in which only the classifier is trained, >= 0; as many as `epochs`: a linear probe."""
    image_size: int = 224
    """Side of the network's input in pixels; at most the pack's."""
    train_loss: str = "ce"
    """Training loss, see `choices.LOSSES`."""
    gamma: float = 2.0
    """Focusing exponent of `focal` and `cb`, >= 0; 0 turns the focal term off."""
    beta: float = 0.999
    """Beta of the class weights of `cb` and `ldam`, in [0, 1); 0 weighs all alike, towards 1 by inverse count."""
    smoothing: float = 0.1
    """Share of probability that `label_smoothing` spreads over all classes, in [0, 1)."""
    reweight_after: int = 0
    """Epochs, >= 0, before the class-balanced weights of `cb` and `ldam` count; 0: they count from the first epoch."""
    tau: float = 1.0
    """Strength of `logit_adjustment`, >= 0; 1 takes out the whole prior of the images drawn, 0 is cross-entropy."""
    sord_width: float = 0.5
    """Width of the targets of `sord` in grades, > 0; towards 0 they are those of `ce`."""
    oversample: str = "balanced"
    """Shares of the classes in an epoch: `none` as in the data, `balanced` all alike, `sqrt` by the square roots of
    their counts."""
    target_samples_per_class: int = 0
    """Draws per class that oversampling aims at, in an epoch as long as that takes; 0, and without oversampling:
    `epoch_images` decides."""
    epoch_images: int = 0
    """Images drawn per epoch; 0: as many as the training set has; -1: each once, and what oversampling adds to them."""
    augmentation_methods: tuple[str, ...] = ("horizontal_flip", "rotation", "color_jitter", "random_resized_crop")
    """Any of `choices.AUGMENTATION_METHODS`, separated by blanks or commas; `none` for no augmentation."""
    augmentation_strength: float = 1.0
    """Scales the range of every augmentation method but the flip, >= 0; 0 turns them off."""
    augment: str = "all"
    """Which draws are augmented: `all`, or `added` (oversampled copies alone: nothing without oversampling)."""
    mixup_alpha: float = 0.0
    """Mixup: blends each batch with itself by shares from Beta(alpha, alpha), >= 0; 0 turns it off."""
    cutmix_alpha: float = 0.0
    """CutMix: pastes boxes of other images, shares from Beta(alpha, alpha), >= 0; 0 turns it off."""
    optimizer: str = "adamw"
    """Optimiser, see `choices.OPTIMIZERS`."""
    learning_rate: float = 1e-4
    """Peak learning rate, > 0."""
    layer_decay: float = 1.0
    """Factor of the learning rate from each stage to the one before it, classifier first, in (0, 1]; 1: one rate."""
    weight_decay: float = 0.01
    """Weight decay, >= 0; not applied to biases and normalisation."""
    schedule: str = "cosine"
    """`cosine` to zero or `constant`, both after the warm-up."""
    warmup_epochs: int = 1
    """Epochs of linear warm-up, >= 0; never more than half the run."""
    epochs: int = 30
    """Epochs of a full trial, >= 1."""
    batch_size: int = 64
    """Images per optimiser step over all workers, >= 2."""
    ema_decay: float = 0.0
    """Decay per step of the weights' moving average, in [0, 1), which is then validated and kept; 0 turns it off."""
    sync_batchnorm: bool = True
    """Several workers normalise over the global batch, as one worker does; false: each over its own share, faster."""
    amp: bool = True
    """bfloat16 autocast on CUDA; a CPU always computes in float32."""
    compile: str = "auto"
    """Compile the backbone: `on`, `off`, or `auto`: on a GPU, where an experiment trains on enough images to pay."""
    seed: int = 0
    """Seeds initial weights, dropout, sampling and augmentation."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = _coerced(field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if name == "backbone" and is_timm(value):
                continue
            if value not in choices:
                other = f", or {TIMM}<name>" if name == "backbone" else ""
                raise ConfigError(f"{name}={value!r} is not one of {', '.join(choices)}{other}")
        for name, (low, high, low_allowed, high_allowed) in _RANGES.items():
            value = getattr(self, name)
            above = value >= low if low_allowed else value > low
            below = value <= high if high_allowed else value < high
            if not (above and below):
                interval = f"{'[' if low_allowed else '('}{low:g}, {high:g}{']' if high_allowed else ')'}"
                raise ConfigError(f"{name}={value!r} is outside {interval}")
        if self.epoch_images > 0 and self.target_samples_per_class:
            raise ConfigError(
                f"epoch_images={self.epoch_images} and target_samples_per_class={self.target_samples_per_class} both "
                "set the length of an epoch; leave one of them at 0"
            )

    @classmethod
    def from_stored(cls, values: Mapping[str, Any]) -> "TrialConfig":
        """A config as a store, a checkpoint or a spec holds it, perhaps of a version that had fewer hyper-parameters.

        One that is missing, or None as in a canonical form, gets its entry in LEGACY_VALUES, else its default. Raises
        ConfigError as `from_mapping`.
        """
        return cls.from_mapping(
            {**LEGACY_VALUES, **{name: value for name, value in values.items() if value is not None}}
        )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "TrialConfig":
        """A config from names and values; raises ConfigError for a name that is no hyper-parameter."""
        for name in values:
            check_name(name)
        return cls(**values)

    def to_dict(self) -> dict[str, str | int | float | bool]:
        """Flat values fit for JSON, Parquet and wandb; `from_mapping` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["augmentation_methods"] = " ".join(self.augmentation_methods) or "none"
        return values


LEGACY_VALUES: Mapping[str, str | int | float | bool] = {
    "augmentation_methods": "horizontal_flip rotation color_jitter",
    "augment": "added",
    "train_loss": "cb",
    "epoch_images": -1,
    "compile": "off",
}
"""What older versions did where a config does not name a hyper-parameter, and that is not its default today."""

FIELDS = {field.name: field.type for field in fields(TrialConfig)}


def check_name(name: str) -> None:
    """Raise ConfigError, with the nearest known name, unless `name` is a hyper-parameter."""
    if name in FIELDS:
        return
    near = difflib.get_close_matches(name, FIELDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(FIELDS)}"
    raise ConfigError(f"{name!r} is not a hyper-parameter; {hint}")


def range_of(name: str) -> tuple[float, float]:
    """The lowest and the highest value of a numeric hyper-parameter; infinite where it has none."""
    low, high, _, _ = _RANGES.get(name, (-math.inf, math.inf, False, False))
    return low, high


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """``["epochs=20", "backbone=resnet18"]`` as typed values; raises ConfigError on a bad word or value."""
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is not of the form name=value, such as epochs=20")
        check_name(name)
        if name in values:
            raise ConfigError(f"{name!r} is given twice")
        values[name] = text
    return checked_overrides(values)


def checked_overrides(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of some hyper-parameters, each in its type; raises ConfigError on a name or value that is none."""
    config = TrialConfig.from_mapping(values)
    return {name: getattr(config, name) for name in values}


def _coerced(name: str, value: Any) -> Any:
    """`value` in the type of field `name`; text is parsed, since YAML reads 1e-3 as text."""
    kind = FIELDS[name]
    try:
        if kind is bool:
            return _as_bool(value)
        if kind is int:
            return whole_number_from(value)
        if kind is float:
            return float(number_from(value))
        if kind is str:
            return _as_str(_ON_OFF.get(value, value) if name == "compile" else value)
        return _as_methods(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name}={value!r} is not {_KIND_NAMES.get(kind, 'a list of words')}") from None


_KIND_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number, such as 10",
    float: "a number, such as 0.5",
    str: "a word",
}


_ON_OFF = {True: "on", False: "off", "True": "on", "False": "off"}
"""How YAML reads a bare on and off, and how wandb's agent writes that."""

_NULL = "None"
"""How wandb's agent writes YAML's null."""


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "1", "yes"):
        return True
    if str(value).lower() in ("false", "0", "no"):
        return False
    raise ValueError


def _as_str(value: Any) -> str:
    if value is None or value == _NULL:
        return "none"  # YAML and wandb read a bare null where the user wrote none
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _as_methods(value: Any) -> tuple[str, ...]:
    if value is None or value in ("none", _NULL):
        return ()
    # wandb's agent writes a list as ['rotation', 'color_jitter'].
    words = value.translate(str.maketrans(",[]'\"", "     ")).split() if isinstance(value, str) else list(value)
    for word in words:
        if word not in AUGMENTATION_METHODS:
            allowed = ", ".join(AUGMENTATION_METHODS)
            raise ConfigError(f"augmentation_methods={word!r} is not one of {allowed}, or none")
    return tuple(method for method in AUGMENTATION_METHODS if method in words)
