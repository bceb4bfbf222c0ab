"""Which hyper-parameters of a config do something, and the one form of all configs that train alike.

A hyper-parameter is dead where, by the values of the others, training never reads it: `gamma` of cross-entropy. The
rules are all here and, for what a loss or an optimiser reads, in the `uses` of `choices`; without a rule it is live.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skin_tune.config.choices import LOSSES, OPTIMIZERS, Choice
from skin_tune.config.trial_config import LEGACY_VALUES, TrialConfig

Values = Mapping[str, Any]
"""Hyper-parameters by name, in the form of `TrialConfig.to_dict`."""

Canonical = dict[str, str | int | float | bool | None]
"""A config as `TrialConfig.to_dict` has it, with None for what is dead."""


@dataclass(frozen=True)
class Rule:
    """When a hyper-parameter is live."""

    name: str
    reads: tuple[str, ...]
    """The hyper-parameters that decide it."""
    holds: Callable[[Values], bool]
    """Of values that have those."""


def is_live(name: str, values: Values) -> bool:
    """Whether hyper-parameter `name` does something beside `values`; yes, where one that decides it is not there."""
    return all(rule.holds(values) for rule in _OF.get(name, ()) if all(read in values for read in rule.reads))


def live(values: Values) -> frozenset[str]:
    """The hyper-parameters of a whole config that do something."""
    return frozenset(name for name in values if is_live(name, values))


def canonical(values: Values) -> Canonical:
    """A whole config as the store, wandb and tables show it: None for what is dead.

    `TrialConfig.from_stored` makes a config of it that trains to the same digits, and has the same canonical form.
    """
    return {name: value if is_live(name, values) else None for name, value in values.items()}


def settled(values: Values) -> dict[str, Any]:
    """A whole config with the value that `TrialConfig.from_stored` reads for what is dead."""
    return read_back(canonical(values))


def read_back(form: Values) -> dict[str, Any]:
    """The whole config of a canonical or older form as `TrialConfig.from_stored` reads it, but unchecked."""
    return {**_READ_AS, **{name: value for name, value in form.items() if value is not None}}


def key_of(values: Values) -> tuple[tuple[str, Any], ...]:
    """What configs have in common that train alike, to compare them by; numbers may differ by a rounding."""
    return tuple(
        (name, f"{value:.9g}" if isinstance(value, float) else value)
        for name, value in sorted(canonical(values).items(), key=lambda item: item[0])
    )


def parents_first(name: str) -> int:
    """Sort key that puts hyper-parameters after those that decide whether they are live."""
    return _PLACES.get(name, 0)


def _by_choice(parent: str, choices: Mapping[str, Choice]) -> Iterator[Rule]:
    for name in dict.fromkeys(name for choice in choices.values() for name in choice.uses):
        yield Rule(name, (parent,), lambda values, name=name: name in choices[values[parent]].uses)  # type: ignore[misc]


def _adds_draws(values: Values) -> bool:
    """Whether an epoch can draw an image twice: without oversampling only one of another length than the data."""
    return bool(values["oversample"] != "none" or values["epoch_images"] > 0)


def _can_augment(values: Values) -> bool:
    return bool(values["augment"] == "all" or _adds_draws(values))


RULES: tuple[Rule, ...] = (
    *_by_choice("train_loss", LOSSES),
    *_by_choice("optimizer", OPTIMIZERS),
    Rule("beta", ("reweight_after", "epochs"), lambda values: values["reweight_after"] < values["epochs"]),
    Rule("target_samples_per_class", ("oversample",), lambda values: values["oversample"] != "none"),
    Rule(
        "epoch_images",
        ("oversample", "target_samples_per_class", "epoch_images"),
        lambda values: (
            values["oversample"] == "none"
            or not values["target_samples_per_class"]
            or values["epoch_images"] > 0  # which contradicts the target, and is refused
        ),
    ),
    # Of no augmentation at all there is one form for each way to ask for it: no methods, or `added` where nothing is.
    Rule(
        "augmentation_methods",
        ("augmentation_methods", "augment", "oversample", "epoch_images"),
        lambda values: values["augmentation_methods"] == "none" or _can_augment(values),
    ),
    Rule("augment", ("augmentation_methods",), lambda values: values["augmentation_methods"] != "none"),
    Rule(
        "augmentation_strength",
        ("augmentation_methods",),
        lambda values: values["augmentation_methods"] not in ("none", "horizontal_flip"),
    ),
    Rule("augmentation_strength", ("augment", "oversample", "epoch_images"), _can_augment),
    Rule("layer_decay", ("freeze_epochs", "epochs"), lambda values: values["freeze_epochs"] < values["epochs"]),
)
"""Each comes after those on what it reads, but for `augmentation_methods` and `augment`, which decide each other."""

_READ_AS: Values = {**TrialConfig().to_dict(), **LEGACY_VALUES}
_OF = {name: tuple(rule for rule in RULES if rule.name == name) for name in {rule.name for rule in RULES}}
_PLACES = {rule.name: place for place, rule in enumerate(RULES, start=1)}
