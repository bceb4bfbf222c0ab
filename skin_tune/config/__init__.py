"""Every hyper-parameter of one trial: its type, its range, its choices."""

from skin_tune.config.canonical import Canonical, Values, canonical, is_live, key_of, live, settled
from skin_tune.config.choices import AUGMENTATION_METHODS, CHOICES
from skin_tune.config.trial_config import (
    FIELDS,
    TrialConfig,
    check_name,
    checked_overrides,
    parse_overrides,
    range_of,
)
from skin_tune.config.unread import unread

__all__ = [
    "AUGMENTATION_METHODS",
    "CHOICES",
    "FIELDS",
    "Canonical",
    "TrialConfig",
    "Values",
    "canonical",
    "check_name",
    "checked_overrides",
    "is_live",
    "key_of",
    "live",
    "parse_overrides",
    "range_of",
    "settled",
    "unread",
]
