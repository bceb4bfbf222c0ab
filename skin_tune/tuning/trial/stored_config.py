"""The config in a row of the store's `trials`: the one place that turns configs into `config/` columns, and back."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from skin_tune.config import FIELDS, TrialConfig, Values, canonical
from skin_tune.config.canonical import read_back
from skin_tune.errors import ConfigError

_PREFIX = "config/"

COLUMNS: Mapping[str, type] = {
    f"{_PREFIX}{name}": kind if kind in (bool, int, float) else str for name, kind in FIELDS.items()
}
"""The columns of a config, with their types."""


def columns_of(config: Values) -> dict[str, str | int | float | bool | None]:
    """The columns of a whole config in its canonical form: null for what is dead."""
    return {f"{_PREFIX}{name}": value for name, value in canonical(config).items()}


def config_of(row: Mapping[Any, Any]) -> TrialConfig:
    """The config of a trial, from its row as the store or a dataframe has it.

    A hyper-parameter that the row lacks, or has no value for, is dead, or its version of the program did not have it
    yet: see `TrialConfig.from_stored`. Raises ConfigError for one that this version does not know.
    """
    if pd.notna(row.get("members")):
        raise ConfigError(f"{row['trial_id']!r} is a combination of models, which has no config of its own")
    return TrialConfig.from_stored(_stored(row))


def values_of(row: Mapping[Any, Any]) -> Values:
    """The hyper-parameters of `config_of`, unchecked: those of a trial may contradict each other, so that it failed."""
    return read_back(_stored(row))


def _stored(row: Mapping[Any, Any]) -> dict[str, Any]:
    stored = {str(name).removeprefix(_PREFIX): row[name] for name in row if str(name).startswith(_PREFIX)}
    return {name: value for name, value in stored.items() if not pd.isna(value)}
