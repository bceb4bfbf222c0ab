"""Every hyper-parameter of one trial: its type, its range, its choices."""

from skin_tune.config.choices import AUGMENTATION_METHODS, CHOICES
from skin_tune.config.trial_config import (
    FIELDS,
    TrialConfig,
    check_name,
    checked_overrides,
    parse_overrides,
    range_of,
)

__all__ = [
    "AUGMENTATION_METHODS",
    "CHOICES",
    "FIELDS",
    "TrialConfig",
    "check_name",
    "checked_overrides",
    "parse_overrides",
    "range_of",
]
